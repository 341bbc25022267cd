# syntax=docker/dockerfile:1
# The image holds one program, the libraries and certificates it needs, and the shipped mappings; it has no shell.
#
#   docker build -t quentli-gateway .
#
# Only the stage `crates` needs the network, and takes exactly what Cargo.lock names; the build itself has none.
# The base images are named by tag, so that a build takes their security updates. To pin them, give digests:
#
#   docker build --build-arg RUST_IMAGE=rust@sha256:... --build-arg BASE_IMAGE=gcr.io/distroless/cc-debian12@sha256:... .
#
# With pinned images, two builds of one commit give the same files. For the same digest of the image, their times must agree too:
#
#   SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) docker buildx build --output type=image,name=quentli-gateway,rewrite-timestamp=true .

ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS crates
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
# Cargo wants to see each file that Cargo.toml names before it reads on; empty ones do, so that this stage is built anew only
# when the dependencies change.
RUN mkdir -p src benches .cargo \
    && touch src/lib.rs src/main.rs \
    && sed -n 's|^name = "\(.*\)"$|benches/\1.rs|p' Cargo.toml > benches/names \
    && xargs touch < benches/names \
    && cargo vendor --locked --versioned-dirs vendor > .cargo/config.toml \
    && rm -r src benches

FROM crates AS builder
COPY src src
COPY tests tests
COPY benches benches
COPY docs docs
COPY mappings mappings
ENV CARGO_INCREMENTAL=0
RUN --network=none cargo build --release --locked --offline --bin quentli-gateway \
    && install -D -m 0755 target/release/quentli-gateway /out/quentli-gateway \
    && install -d -m 0700 /out/data

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="quentli-gateway" \
      org.opencontainers.image.description="Receives signed webhooks from school systems and CRMs and brings them to Quentli as customer updates" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
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
