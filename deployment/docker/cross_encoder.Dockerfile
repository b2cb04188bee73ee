# syntax=docker/dockerfile:1
# The cross-encoder as a RunPod serverless worker: the library and what serves it, nothing that trains. From the project:
#   docker build -f deployment/docker/cross_encoder.Dockerfile -t REGISTRY/legal-cross-encoder:TAG .
#   --build-arg TORCH=cpu                                      for workers without a GPU
#   --build-arg BUNDLE=s3://BUCKET/cross-encoder/RUN_ID --secret id=AWS_ACCESS_KEY_ID --secret id=AWS_SECRET_ACCESS_KEY
#                                                              bakes a model in, with the credentials of this environment
# Without BUNDLE no model is in it: RETRIEVER_BUNDLE=s3://... at run time names one.
# The same image serves HTTP: docker run -p 8102:8102 -e RETRIEVER_HOST=0.0.0.0 IMAGE python -m deployment.cross_encoder_service
FROM python:3.11.14-slim-bookworm AS packages
WORKDIR /project
RUN python -m venv /packages
ENV PATH=/packages/bin:$PATH
COPY pyproject.toml README.md LICENSE deployment/docker/constraints.txt ./
ARG TORCH=cu130
RUN pip install --no-cache-dir --constraint constraints.txt \
    --extra-index-url "https://download.pytorch.org/whl/${TORCH}" "torch==2.13.0+${TORCH}" ".[runpod,tracing]"
COPY retrieval retrieval
COPY monitoring monitoring
COPY deployment deployment
RUN pip install --no-cache-dir --no-deps .

FROM packages AS bundle
ARG BUNDLE="" AWS_ENDPOINT_URL="" AWS_REGION=us-east-1
RUN --mount=type=secret,id=AWS_ACCESS_KEY_ID,env=AWS_ACCESS_KEY_ID \
    --mount=type=secret,id=AWS_SECRET_ACCESS_KEY,env=AWS_SECRET_ACCESS_KEY \
    mkdir /models && if [ -n "${BUNDLE}" ]; then python -m deployment.bundle.fetch "${BUNDLE}" --to /models/bundle; fi

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 serving \
    && useradd --uid 10001 --gid serving --create-home serving \
    && install --directory --owner serving --group serving /app /cache
COPY --from=packages /packages /packages
COPY --from=bundle /models /models
ENV PATH=/packages/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RETRIEVER_BUNDLE=/models/bundle \
    RETRIEVER_CACHE=/cache \
    HF_HUB_OFFLINE=1 \
    DO_NOT_TRACK=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
WORKDIR /app
CMD ["python", "-m", "deployment.runpod.cross_encoder"]
