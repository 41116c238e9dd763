# Everything for one or more NVIDIA GPUs; the machine needs their driver and the NVIDIA Container Toolkit.
#
#   docker build -t tsnet_tf .
#   docker run --gpus all -v /data:/data tsnet_tf bin/search.py --gin_file=gin/steps/sparse.gin ... --workdir=/data/runs/sparse
#
# The CUDA libraries that TensorFlow was built for come with it (the extra "gpu"), so that the image's need not be theirs.
FROM nvidia/cuda:12.3.2-base-ubuntu22.04

ENV DEBIAN_FRONTEND=noninteractive UV_PYTHON_INSTALL_DIR=/opt/python PATH=/opt/venv/bin:/root/.local/bin:$PATH
RUN apt-get -qq update \
 && apt-get -qq install -y --no-install-recommends ca-certificates curl make \
 && rm -rf /var/lib/apt/lists/* \
 && curl -LsSf https://astral.sh/uv/install.sh | sh \
 && uv venv --python 3.11 /opt/venv

WORKDIR /opt/tsnet_tf
COPY setup.py constraints.txt ./
COPY tsnet_tf tsnet_tf
RUN uv pip install --compile-bytecode --python /opt/venv/bin/python -c constraints.txt -e ".[gpu]"
COPY bin bin
COPY gin gin

ENTRYPOINT ["python"]
