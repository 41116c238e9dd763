"""Installs tsnet_tf. The ranges are here; the one set of versions that is tested together is in constraints.txt."""

from setuptools import find_packages, setup

setup(
    name="tsnet_tf",
    version="0.1.0",
    description="Search, training, evaluation and export of two-stream video models (Auto-TSNet) in TensorFlow",
    author="The tsnet_tf authors",
    license="Apache-2.0",
    packages=find_packages(include=["tsnet_tf", "tsnet_tf.*"]),
    package_data={"tsnet_tf.space": ["archive/*.json"], "tsnet_tf.report": ["published.json", "page.css"]},
    python_requires=">=3.10,<3.13",
    install_requires=[
        "tensorflow>=2.17,<2.21",
        # The last release links against TensorFlow 2.17: on newer ones, s3:// paths do not work.
        "tensorflow-io>=0.37",
        "tf-models-official>=2.17",
        # 3.10 brought variables that replicas keep by themselves.
        "keras>=3.10",
        "absl-py>=1.4",
        "gin-config>=0.5",
        "tensorboard>=2.17",
        "av>=12",
        "apache-beam>=2.60",
        "google-crc32c>=1.5",
        # From 1.17 on it needs protobuf 5 code generation, and `import official` fails.
        "tensorflow-metadata<1.17",
        "rich>=13",
        "matplotlib>=3.8",
        "scipy>=1.11",
    ],
    extras_require={
        # The CUDA libraries that TensorFlow's wheel was built for; the driver alone has to be there.
        "gpu": ["tensorflow[and-cuda]>=2.17,<2.21"],
        # What bin/benchmark.py --against=pytorch compares with.
        "bench": ["torch==2.13.0", "pytorchvideo>=0.1.5"],
        # What bin/make_motion_videos.py films: the tasks and experts (MIT), and the simulator (Apache 2.0).
        "motion": ["metaworld==3.1.1", "mujoco==3.3.0"],
        "dev": [
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "pre-commit>=3.7",
            # The messages of TensorFlow Serving, to hold docs/serving.md to.
            "tensorflow-serving-api>=2.17",
            # The S3 server of tests/test_s3.py: what moto's own "server" extra has, without the other services' needs.
            "moto[s3]>=5",
            "flask>=3",
            "flask-cors>=4",
        ],
    },
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
    ],
)
