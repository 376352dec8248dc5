from ubuntu:24.04
run apt-get update && \
    # FROM comment:1
    apt-get install -y curl
