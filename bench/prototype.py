"""The least that can be done in Python: protocol, decode, one check, encode.

What the server of admit is measured against. An asyncio protocol on uvloop, httptools
and msgspec; no routes, limits, time-outs, metrics, deadline or views. The check reads
one map through a typed decoder that skips the rest of the object.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl

import httptools
import msgspec
import uvloop


class Metadata(msgspec.Struct):
    labels: dict[str, str] = {}


class Object(msgspec.Struct):
    metadata: Metadata


class Asked(msgspec.Struct):
    uid: str
    object: msgspec.Raw


class Review(msgspec.Struct):
    request: Asked


class Status(msgspec.Struct):
    message: str
    code: int = 403


class Response(msgspec.Struct, omit_defaults=True):
    uid: str
    allowed: bool | None = None
    status: Status | None = None


class Answer(msgspec.Struct, rename="camel"):
    response: Response
    api_version: str = "admission.k8s.io/v1"
    kind: str = "AdmissionReview"


reviews = msgspec.json.Decoder(Review)
objects = msgspec.json.Decoder(Object)
encode = msgspec.json.Encoder().encode


def decide(body: bytes) -> bytes:
    request = reviews.decode(body).request
    if "app" in objects.decode(request.object).metadata.labels:
        return encode(Answer(Response(request.uid, allowed=True)))
    status = Status("Pod must have an app label")
    return encode(Answer(Response(request.uid, allowed=False, status=status)))


class Connection(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.parts = []

    def data_received(self, data):
        self.parser.feed_data(data)

    def on_body(self, data):
        self.parts.append(data)

    def on_message_complete(self):
        answer = decide(b"".join(self.parts))
        self.parts.clear()
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )


async def serve(options: argparse.Namespace) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert_file, options.key_file)
    context.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        Connection, "127.0.0.1", options.port, ssl=context
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert-file", required=True)
    parser.add_argument("--key-file", required=True)
    uvloop.run(serve(parser.parse_args()))
