"""What docs/serving.md shows is run as it stands, against a stand-in that speaks TensorFlow Serving's two protocols."""

import base64
import concurrent.futures
import http.server
import json
import pathlib
import re
import shutil
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

from tsnet_tf.data.demo_videos import write_video

DOCUMENT = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "serving.md").read_text()
BLOCKS = dict(zip(("grpc", "rest", "warm-up"), re.findall(r"```python\n(.*?)```", DOCUMENT, re.S), strict=True))
FILES = dict(re.findall(r"```proto (\S+)\n(.*?)```", DOCUMENT, re.S))


def predict(signatures, name, inputs):
    """The outputs for inputs by name, as a server computes them."""
    found = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
    return {key: value.numpy() for key, value in found.items()}


class Grpc(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, signatures):
        self.signatures, self.requests = signatures, []

    def Predict(self, request, context):
        self.requests.append(request)
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        response = predict_pb2.PredictResponse()
        for name, value in predict(self.signatures, request.model_spec.signature_name, inputs).items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


def rest_handler(signatures, requests):
    """Row format: one instance per clip; of several outputs, each prediction is an object."""

    def decoded(value):
        if isinstance(value, list):
            return [decoded(entry) for entry in value]
        return base64.b64decode(value["b64"], validate=True)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(self.path)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            outputs = predict(signatures, body["signature_name"], {"encoded_frames": decoded(body["instances"])})
            plain = {
                name: [[e.decode() if isinstance(e, bytes) else float(e) for e in row] for row in value]
                for name, value in outputs.items()
            }
            rows = [{name: value[i] for name, value in plain.items()} for i in range(len(body["instances"]))]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"predictions": rows}).encode())

        def log_message(self, *_):
            pass

    return Handler


@pytest.fixture(scope="module")
def ran(saved, tmp_path_factory):
    """Runs all blocks in the order of the document; what each printed, and what the servers got."""
    folder = tmp_path_factory.mktemp("serving")
    shutil.copytree(saved, folder / "models" / "tsnet" / "1")
    write_video(str(folder / "clip.mp4"), np.broadcast_to(np.array([255, 0, 0], np.uint8), (12, 32, 48, 3)))
    signatures = tf.saved_model.load(saved).signatures

    servicer, paths = Grpc(signatures), []
    grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, grpc_server)
    grpc_port = grpc_server.add_insecure_port("localhost:0")
    grpc_server.start()
    rest_server = http.server.HTTPServer(("localhost", 0), rest_handler(signatures, paths))
    threading.Thread(target=rest_server.serve_forever, daemon=True).start()

    printed, names = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, block in BLOCKS.items():
            block = block.replace(":8500", f":{grpc_port}").replace(":8501", f":{rest_server.server_port}")
            names["print"] = lambda *values, name=name: printed.update({name: values})
            exec(compile(block, f"docs/serving.md, {name}", "exec"), names)
    grpc_server.stop(None)
    rest_server.shutdown()
    return folder, signatures, servicer.requests, paths, printed


def test_grpc_request(ran):
    _, _, [request], _, printed = ran
    assert request.model_spec.name == "tsnet" and request.model_spec.signature_name == "jpeg"
    assert tf.make_ndarray(request.inputs["encoded_frames"]).shape == (1, 2)
    [answer] = printed["grpc"]
    assert [label for label, _ in answer] == ["red", "green", "none"]
    assert answer[0][1] == pytest.approx(np.e / (2 + np.e), abs=0.01)


def test_rest_request(ran):
    _, _, _, paths, printed = ran
    assert paths == ["/v1/models/tsnet:predict"]
    labels, scores = printed["rest"]
    assert labels == ["red", "green", "none"]
    assert scores == pytest.approx([score for _, score in printed["grpc"][0]], abs=1e-3)


def test_warm_up_requests_are_answered(ran):
    folder, signatures, *_ = ran
    path = folder / "models" / "tsnet" / "1" / "assets.extra" / "tf_serving_warmup_requests"
    batch_sizes = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        outputs = predict(signatures, request.model_spec.signature_name, inputs)
        assert request.model_spec.name == "tsnet"
        batch_sizes.append(len(outputs["probabilities"]))
    assert batch_sizes == [1, 2, 4, 8]


def test_a_model_with_warm_up_requests_loads(ran):
    tf.saved_model.load(str(ran[0] / "models" / "tsnet" / "1"))


def test_model_config():
    config = text_format.Parse(FILES["models.config"], model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("tsnet", "/models/tsnet", "tensorflow")


def test_batching_config():
    """TensorFlow Serving's message of it is in no package: names and form are compared with those it documents."""
    lines = dict(re.findall(r"^(\w+) \{ value: (\d+) \}$", FILES["batching.config"], re.M))
    assert set(lines) == {"max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches"}
    assert len(FILES["batching.config"].splitlines()) == len(lines)


def test_signatures_are_those_of_the_document(saved):
    signatures = tf.saved_model.load(saved).signatures
    for name, specs in (("serving_default", "frames"), ("jpeg", "encoded_frames")):
        assert f"| `{name}` | `{specs}`, " in DOCUMENT
        assert list(signatures[name].structured_input_signature[1]) == [specs]
        assert set(signatures[name].structured_outputs) == {"probabilities", "top_k_labels", "top_k_scores"}
