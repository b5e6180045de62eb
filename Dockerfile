# A static binary and nothing else.
#
#   docker build -t cipherfold --build-arg COMMIT="$(git rev-parse HEAD)" .
#   docker run --rm -v "$PWD:/work" -u "$(id -u):$(id -g)" cipherfold demo --rows 1000
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=(devel)
ARG COMMIT=
RUN mkdir -p -m 1777 /out/tmp
RUN CGO_ENABLED=0 go build -buildvcs=false -o /out/cipherfold \
    -ldflags "-s -w -X 'github.com/cipherfold/cipherfold/engine/receipt.version=$VERSION' -X 'github.com/cipherfold/cipherfold/engine/receipt.commit=$COMMIT'" \
    ./cmd/cipherfold

FROM scratch
LABEL org.opencontainers.image.title="cipherfold" \
      org.opencontainers.image.description="Adds up encrypted columns without seeing them" \
      org.opencontainers.image.source="https://github.com/cipherfold/cipherfold" \
      org.opencontainers.image.licenses="Apache-2.0"
# For object stores and lineage servers behind TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/tmp /tmp
COPY --from=build /out/cipherfold /cipherfold
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/cipherfold"]
