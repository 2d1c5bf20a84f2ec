# The image that `make image` makes without docker, for those who have it: the same
# program, from the same list (tools/image/contents.toml).
#
#     docker build -t admit:0.1.0 .
#
# Policies come from a ConfigMap, or from an image of your own:
#
#     FROM admit:0.1.0
#     COPY policies.py /policies/
FROM debian:bookworm-slim AS made
RUN apt-get update && apt-get install --yes --no-install-recommends make python3 python3-venv
WORKDIR /src
COPY . .
RUN make setup && .venv/bin/python tools/image/build.py --root /image

FROM scratch
COPY --from=made /image /
LABEL org.opencontainers.image.title=admit org.opencontainers.image.licenses=Apache-2.0
ENV PATH=/usr/bin LANG=C.UTF-8 PYTHONUNBUFFERED=1
EXPOSE 8080 8443
USER 65532:65532
ENTRYPOINT ["/usr/bin/admit"]
CMD ["--help"]
