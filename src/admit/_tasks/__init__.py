"""What the commands do: one file a command, typed options in, typed report out."""
