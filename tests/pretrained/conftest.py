"""Checkpoints as PyTorch writes them, made by hand: opcodes of pickles, and storages beside them."""

import io
import re
import struct
import zipfile

import numpy as np
import pytest

KINDS = {"float64": "Double", "float32": "Float", "float16": "Half", "int64": "Long", "uint16": "BFloat16"}
NONE, FALSE = b"N", b"\x89"


class Opcodes:
    """Each leaves one value on the stack; what `written` gets is the last one."""

    @staticmethod
    def named(name):
        return b"c%s\n%s\n" % tuple(part.encode() for part in name.rsplit(".", 1))

    @staticmethod
    def text(value):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    @staticmethod
    def whole(value):
        digits = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(digits)]) + digits

    @staticmethod
    def several(*values):
        return b"(" + b"".join(values) + b"t"

    @classmethod
    def called(cls, name, *arguments):
        return cls.named(name) + cls.several(*arguments) + b"R"

    @classmethod
    def dictionary(cls, values, empty=b"}"):
        return empty + b"(" + b"".join(cls.text(key) + value for key, value in values.items()) + b"u"

    @classmethod
    def ordered(cls, values):
        """As a module's state is: an ordered dictionary with an attribute."""
        metadata = cls.dictionary({"_metadata": cls.called("collections.OrderedDict")})
        return cls.dictionary(values, cls.called("collections.OrderedDict")) + metadata + b"b"

    @classmethod
    def storage(cls, key, kind, count, sequence=False):
        parts = [
            cls.text("storage"),
            cls.named(f"torch.{kind}Storage"),
            cls.text(key),
            cls.text("cpu"),
            cls.whole(count),
        ]
        return cls.several(*parts, *([NONE] if sequence else [])) + b"Q"

    @classmethod
    def tensor(cls, storage, shape, strides, offset=0):
        shape, strides = (cls.several(*map(cls.whole, numbers)) for numbers in (shape, strides))
        hooks = cls.called("collections.OrderedDict")
        return cls.called("torch._utils._rebuild_tensor_v2", storage, cls.whole(offset), shape, strides, FALSE, hooks)

    @classmethod
    def state(cls, arrays, sequence=False, parameters=False):
        """Every array as a tensor, or as a parameter, with a storage of its own: "0", "1", ..."""
        values = {}
        for key, (name, array) in enumerate(arrays.items()):
            strides = [stride // array.itemsize for stride in array.strides]
            storage = cls.storage(str(key), KINDS[str(array.dtype)], array.size, sequence)
            values[name] = cls.tensor(storage, array.shape, strides)
            if parameters:
                hooks = cls.called("collections.OrderedDict")
                values[name] = cls.called("torch._utils._rebuild_parameter", values[name], b"\x88", hooks)
        return cls.ordered(values)

    @staticmethod
    def pickled(value):
        return b"\x80\x02" + value + b"."

    @classmethod
    def zipped(cls, value, storages=(), compression=zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            archive.writestr("x3d/data.pkl", cls.pickled(value))
            archive.writestr("x3d/byteorder", "little")
            for key, array in enumerate(storages):
                archive.writestr(f"x3d/data/{key}", array.tobytes("K"))
            archive.writestr("x3d/version", "3\n")
        return file.getvalue()

    @classmethod
    def in_sequence(cls, value, storages=()):
        machine = cls.dictionary({"protocol_version": cls.whole(1001), "little_endian": b"\x88"})
        keys = b"](" + b"".join(cls.text(str(key)) for key in range(len(storages))) + b"e"
        pickles = [cls.whole(0x1950A86A20F9469CFC6C), cls.whole(1001), machine, value, keys]
        numbers = (struct.pack("<q", array.size) + array.tobytes("K") for array in storages)
        return b"".join([*map(cls.pickled, pickles), *numbers])

    @classmethod
    def written(cls, arrays, sequence=False, around=lambda state: state, **kind):
        """A whole file; ``around`` puts the state into something."""
        value = around(cls.state(arrays, sequence, **kind))
        return (cls.in_sequence if sequence else cls.zipped)(value, list(arrays.values()))


@pytest.fixture(scope="session")
def opcodes():
    return Opcodes


@pytest.fixture(scope="session")
def filled():
    """Gives a model weights with which every part of it matters; the first shortcut's normalisation is the identity."""

    def fill(model, seed=0):
        draw = np.random.default_rng(seed)
        for weight in model.weights:
            if "seed_generator" in weight.path:
                continue
            if "variance" in weight.path or "gamma" in weight.path:
                weight.assign(draw.uniform(0.5, 1.5, weight.shape))
            else:
                weight.assign(draw.normal(0.0, 0.1, weight.shape))
        norm = model.groups[0][0].blocks[0].shortcut_norm
        for weight, value in ((norm.gamma, 1.0), (norm.beta, 0.0), (norm.moving_mean, 0.0)):
            weight.assign(np.full(weight.shape, value))
        norm.moving_variance.assign(np.full(norm.channels, np.float32(1.0 - norm.epsilon)))
        return model

    return fill


@pytest.fixture(scope="session")
def state_of():
    """The weights of a model of ours as PyTorchVideo has them."""

    def norm(name, layer, present=True):
        parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        state = {f"{name}.{theirs}": np.array(getattr(layer, ours)) for theirs, ours in parts.items()}
        return {**state, f"{name}.num_batches_tracked": np.array(7)} if present else {}

    def pointwise(weight):
        return np.ascontiguousarray(np.array(weight).T[..., None, None, None])

    def depthwise(weight):
        return np.ascontiguousarray(np.array(weight).transpose(3, 0, 1, 2)[:, None])

    def state(model):
        stem, head = model.stems[0], model.heads[0]
        found = {
            "blocks.0.conv.conv_t.weight": np.ascontiguousarray(
                np.array(stem.kernel).transpose(3, 2, 0, 1)[:, :, None]
            ),
            "blocks.0.conv.conv_xy.weight": depthwise(stem.temporal.depthwise_kernel),
            **norm("blocks.0.norm", stem.norm),
        }
        for stage, group in enumerate(model.groups[0], start=1):
            for number, block in enumerate(group.blocks):
                at = f"blocks.{stage}.res_blocks.{number}"
                if number == 0:
                    found[f"{at}.branch1_conv.weight"] = pointwise(block.shortcut.kernel)
                    found |= norm(f"{at}.branch1_norm", block.shortcut_norm, present=stage > 1)
                found[f"{at}.branch2.conv_a.weight"] = pointwise(block.expand.kernel)
                found |= norm(f"{at}.branch2.norm_a", block.expand_norm)
                found[f"{at}.branch2.conv_b.weight"] = depthwise(block.depthwise.depthwise_kernel)
                found |= norm(f"{at}.branch2.norm_b.0", block.depthwise_norm)
                if number % 2 == 0:
                    gate = block.squeeze_excite
                    for index, layer in ((0, gate.reduce), (2, gate.expand)):
                        found[f"{at}.branch2.norm_b.1.block.{index}.weight"] = pointwise(layer.kernel)
                        found[f"{at}.branch2.norm_b.1.block.{index}.bias"] = np.array(layer.bias)
                found[f"{at}.branch2.conv_c.weight"] = pointwise(block.project.kernel)
                found |= norm(f"{at}.branch2.norm_c", block.project_norm)
        return {
            **found,
            "blocks.5.pool.pre_conv.weight": pointwise(head.conv.kernel),
            **norm("blocks.5.pool.pre_norm", head.norm),
            "blocks.5.pool.post_conv.weight": pointwise(head.dense.kernel),
            "blocks.5.proj.weight": np.ascontiguousarray(np.array(model.classifier.kernel).T),
            "blocks.5.proj.bias": np.array(model.classifier.bias),
        }

    return state


SLOWFAST = (
    (r"^blocks\.0\.conv\.conv_t", "s1.pathway0_stem.conv_xy"),
    (r"^blocks\.0\.conv\.conv_xy", "s1.pathway0_stem.conv"),
    (r"^blocks\.0\.norm", "s1.pathway0_stem.bn"),
    (r"^blocks\.([1-4])\.res_blocks\.", lambda match: f"s{int(match[1]) + 1}.pathway0_res"),
    (r"branch1_conv", "branch1"),
    (r"branch1_norm", "branch1_bn"),
    (r"norm_b\.0", "b_bn"),
    (r"norm_b\.1\.block\.0", "se.fc1"),
    (r"norm_b\.1\.block\.2", "se.fc2"),
    (r"branch2\.conv_", "branch2."),
    (r"branch2\.norm_([ac])", r"branch2.\1_bn"),
    (r"^blocks\.5\.pool\.pre_conv", "head.conv_5"),
    (r"^blocks\.5\.pool\.pre_norm", "head.conv_5_bn"),
    (r"^blocks\.5\.pool\.post_conv", "head.lin_5"),
    (r"^blocks\.5\.proj", "head.projection"),
)


@pytest.fixture(scope="session")
def as_slowfast():
    """The same under PySlowFast's names, with the normalisation that PyTorchVideo leaves out."""

    def renamed(state):
        found = {}
        for name, value in state.items():
            for pattern, other in SLOWFAST:
                name = re.sub(pattern, other, name)
            found[name] = value
        norm = {"weight": 1.5, "bias": 0.5, "running_mean": 0.25, "running_var": 0.75}
        parts = {f"s2.pathway0_res0.branch1_bn.{part}": np.full(24, x, np.float32) for part, x in norm.items()}
        return {**found, **parts}

    return renamed
