# syntax=docker/dockerfile:1
# The image holds one program, the certificates it trusts, and the shipped mappings; it has no shell.

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY tests tests
COPY benches benches
COPY docs docs
COPY mappings mappings
# Caches keep a second build short; what is built depends on Cargo.lock alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin quentli-gateway \
    && install -D -m 0755 target/release/quentli-gateway /out/quentli-gateway \
    && install -d -m 0700 /out/data

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="quentli-gateway" \
      org.opencontainers.image.description="Receives signed webhooks from school systems and CRMs and brings them to Quentli as customer updates" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=builder /out/quentli-gateway /usr/local/bin/quentli-gateway
COPY --from=builder --chown=65532:65532 /out/data /data
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/quentli-gateway/
COPY mappings /usr/share/quentli-gateway/mappings

# `gateway.yaml` and the folder `mappings` are looked for here.
WORKDIR /etc/quentli-gateway
ENV GATEWAY_DATA=/data
VOLUME /data
EXPOSE 8080 8081
USER 65532:65532
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["/usr/local/bin/quentli-gateway", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/quentli-gateway"]
CMD ["serve"]
