"""The variants of the benchmark: what the load is, and what lies around the contestants."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    name: str
    what: str
    mutations: float = 0.0      # share of PATCH
    answer: int = 600           # bytes of the upstream's document
    tls_upstream: bool = False
    tls_front: bool = False
    close: bool = False         # a new connection for each request
    workers: int = 1
    connections: int = 64
    judged: bool = True         # False: reported, but no goal can be judged by it


ALL = [
    Variant("reads", "reads, 64 connections"),
    Variant("mixed", "10 % PATCH, durable audit", mutations=0.1),
    Variant("large", "reads, answers of 100 KB", answer=100_000),
    Variant("tls-front", "reads, clients by TLS (the relay's: plain)", tls_front=True),
    Variant("tls-upstream", "reads, upstream by TLS (the relay: plain)", tls_upstream=True),
    Variant("new-connection", "reads, a new connection for each", close=True),
    Variant("workers-2", "reads, 2 workers on both cores, which they share with the load", workers=2, judged=False),
    Variant("connections-1000", "reads, 1,000 connections", connections=1000),
]
