# The pipeline with exactly the packages of uv.lock, run by a user without rights.
#   docker build -t nociomics .
#   docker build -t nociomics:small --build-arg EXTRAS="--extra serve --extra fhir" .    # only serves an exported model
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" nociomics run study.yaml --cores 2

FROM python:3.11-slim-bookworm AS build
# The same version as workflow/scripts/get_uv.py; a test compares them.
RUN pip install --no-cache-dir uv==0.13.8
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1
# Which extras of pyproject.toml the image has.
ARG EXTRAS="--extra workflow --extra genetics --extra interchange --extra serve --extra fhir --extra onnx"
WORKDIR /app
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-default-groups $EXTRAS --no-install-project
COPY src ./src
COPY workflow ./workflow
COPY config ./config
COPY profiles ./profiles
RUN uv sync --frozen --no-default-groups $EXTRAS --no-editable

FROM python:3.11-slim-bookworm
# libgomp: XGBoost and scikit-learn compute in parallel with it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 nociomics
COPY --from=build /app/.venv /app/.venv
# A user that Docker was given by number has no home; the caches of Snakemake and Matplotlib need a place.
ENV PATH=/app/.venv/bin:$PATH HOME=/tmp MLFLOW_DISABLE_TELEMETRY=true MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false
USER nociomics
WORKDIR /data
ENTRYPOINT ["nociomics"]
CMD ["--help"]
