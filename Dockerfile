# One image for every service: Python, a full Java 17, Spark and Delta, as `make setup` has them.
FROM python:3.11.14-slim-bookworm
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends make procps openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/credit-spark
COPY Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY setup setup
COPY conf conf
COPY src src
COPY expectations expectations
COPY jobs jobs
RUN make setup \
    && useradd --create-home credit \
    && mkdir -p /data/landing /data/warehouse /data/logs /data/work \
    && chown -R credit /data
# Not as root. Volumes below /data take over its owner.
USER credit
ENV PATH=/opt/credit-spark/.venv/bin:$PATH
# A worker would write below Spark's own folder, which is root's.
ENV SPARK_WORKER_DIR=/data/work
