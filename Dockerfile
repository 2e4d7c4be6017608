# The image of `kindred serve`. It wants DATABASE_URL: a private PostgreSQL belongs on a machine, not in a container.
FROM rust:1.95-trixie AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked && cp target/release/kindred /kindred

FROM debian:trixie-slim
# psql, pg_dump and pg_restore of the database's version, for `kindred backup` and `kindred restore`; the font of invoices.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client-17 tzdata fonts-wqy-microhei \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /data kindred
COPY --from=build /kindred /usr/local/bin/kindred
USER kindred
WORKDIR /data
VOLUME /data
ENV KINDRED_LISTEN=0.0.0.0:8080 KINDRED_DATA_DIR=/data
EXPOSE 8080
ENTRYPOINT ["kindred"]
CMD ["serve"]
