# syntax=docker/dockerfile:1
# The gateway and the search page, with the models in the same process or in services beside it. From the project:
#   docker build -f deployment/docker/gateway.Dockerfile -t REGISTRY/legal-gateway:TAG .
#   docker run -p 8100:8100 -v DIR:/models/bundle:ro IMAGE                                  both models in the gateway
#   docker run -p 8100:8100 -e RETRIEVER_BUNDLE=s3://BUCKET/PATH -e AWS_... IMAGE           the same, fetched at the start
#   --build-arg TORCH=cu130                                                                 for a machine with a GPU
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /project
RUN python -m venv /packages
ENV PATH=/packages/bin:$PATH
COPY pyproject.toml README.md LICENSE deployment/docker/constraints.txt ./
ARG TORCH=cpu
RUN pip install --no-cache-dir --constraint constraints.txt \
    --extra-index-url "https://download.pytorch.org/whl/${TORCH}" "torch==2.13.0+${TORCH}" ".[serving,tracing]"
COPY retrieval retrieval
COPY monitoring monitoring
COPY deployment deployment
RUN pip install --no-cache-dir --no-deps .

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 serving \
    && useradd --uid 10001 --gid serving --create-home serving \
    && install --directory --owner serving --group serving /app /cache
COPY --from=packages /packages /packages
ENV PATH=/packages/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RETRIEVER_BUNDLE=/models/bundle \
    RETRIEVER_CACHE=/cache \
    RETRIEVER_HOST=0.0.0.0 \
    HF_HUB_OFFLINE=1 \
    DO_NOT_TRACK=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /app
EXPOSE 8100
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8100/health', timeout=4)"]
CMD ["python", "-m", "deployment.gateway", "--in-process"]
