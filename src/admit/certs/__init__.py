"""Certificates that replicas make for themselves, from an authority in a Secret.

`plan` says what is due and does nothing; `authority` makes and reads certificates;
`secret` is how they are kept; `keeper` does what is due, for as long as a server runs.
"""
