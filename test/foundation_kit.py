"""Tiny foundation models with random weights, saved as transformers saves real ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from references import transformers as installed

CAMERA_PX = 160, 120
LABELS = dict(enumerate(("cup", "bowl", "spoon")))
_SIZES: dict[str, Any] = {"hidden_size": 32, "num_attention_heads": 2}


def dinov2(folder: Path, *, registers: bool = False) -> None:
    t = installed()
    given = {**_SIZES, "num_hidden_layers": 2, "mlp_ratio": 2, "image_size": 56, "patch_size": 14}
    if registers:
        kind, config = (
            t.Dinov2WithRegistersModel,
            t.Dinov2WithRegistersConfig(num_register_tokens=3, **given),
        )
    else:
        kind, config = t.Dinov2Model, t.Dinov2Config(**given)
    _save(kind, config, folder)
    _processor("BitImageProcessorPil", size={"shortest_edge": 64}, crop_size=56).save_pretrained(
        folder
    )


def dinov2_with_registers(folder: Path) -> None:
    dinov2(folder, registers=True)


def depth_anything(folder: Path, **more: Any) -> None:
    t = installed()
    backbone = t.Dinov2Config(
        **_SIZES,
        num_hidden_layers=4,
        mlp_ratio=2,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    config = t.DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=14,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        **more,
    )
    # By a sigmoid: of larger numbers it makes 0 and the largest depth alone.
    small = "head.conv3.weight" if more.get("depth_estimation_type") == "metric" else ""
    _save(t.DepthAnythingForDepthEstimation, config, folder, small=small)
    _dpt_processor(70, 14).save_pretrained(folder)


def depth_anything_metric(folder: Path) -> None:
    depth_anything(folder, depth_estimation_type="metric", max_depth=4)


def dpt(folder: Path) -> None:
    t = installed()
    config = t.DPTConfig(
        **_SIZES,
        num_hidden_layers=4,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        use_auxiliary_head=False,
    )
    _save(t.DPTForDepthEstimation, config, folder)
    size = {"height": 64, "width": 64}
    _processor("DPTImageProcessorPil", size=size).save_pretrained(folder)


def detr(folder: Path) -> None:
    t = installed()
    backbone = t.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], out_features=["stage4"]
    )
    config = t.DetrConfig(
        backbone_config=backbone,
        **_transformer(),
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=6,
        id2label=LABELS,
    )
    _save(t.DetrForObjectDetection, config, folder)
    size = {"shortest_edge": 96, "longest_edge": 120}
    _processor("DetrImageProcessorPil", size=size).save_pretrained(folder)


def rtdetr(folder: Path, kind: str = "RTDetr", **more: Any) -> None:
    t = installed()
    backbone = t.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = getattr(t, f"{kind}Config")(
        backbone_config=backbone,
        **_transformer() | more,
        encoder_hidden_dim=32,
        encoder_in_channels=[16, 16, 32],
        decoder_in_channels=[32, 32, 32],
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=12,
        num_denoising=0,
        id2label=LABELS,
    )
    _save(getattr(t, f"{kind}ForObjectDetection"), config, folder)
    size = {"height": 96, "width": 96}
    _processor("RTDetrImageProcessorPil", size=size).save_pretrained(folder)


def rtdetr_v2(folder: Path) -> None:
    rtdetr(folder, "RTDetrV2", decoder_layers=2)


def d_fine(folder: Path) -> None:
    t = installed()
    config = t.DFineConfig(
        backbone_config=t.HGNetV2Config(
            stem_channels=[3, 8, 8],
            stage_in_channels=[8, 16, 16, 32],
            stage_mid_channels=[8, 8, 8, 8],
            stage_out_channels=[16, 16, 32, 32],
            stage_num_blocks=[1, 1, 1, 1],
            stage_numb_of_layers=[1, 1, 1, 1],
            embedding_size=8,
            hidden_sizes=[16, 16, 32, 32],
            depths=[1, 1, 1, 1],
            out_features=["stage2", "stage3", "stage4"],
        ),
        **_transformer() | {"decoder_layers": 2},  # it ties the heads of two or more
        encoder_hidden_dim=32,
        encoder_in_channels=[16, 32, 32],
        decoder_in_channels=[32, 32, 32],
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=12,
        num_denoising=0,
        id2label=LABELS,
    )
    _save(t.DFineForObjectDetection, config, folder)
    size = {"height": 96, "width": 96}
    _processor("RTDetrImageProcessorPil", size=size).save_pretrained(folder)


def dpt_hybrid(folder: Path) -> None:
    t = installed()
    backbone = t.BitConfig(
        embedding_size=32,
        hidden_sizes=[32, 32, 32, 32],
        depths=[1, 1, 1, 1],
        num_groups=8,
        layer_type="bottleneck",
        global_padding="same",
        embedding_dynamic_padding=True,
        out_features=["stage1", "stage2", "stage3"],
    )
    config = t.DPTConfig(
        **_SIZES,
        is_hybrid=True,
        backbone_config=backbone,
        backbone_featmap_shape=[1, 32, 4, 4],
        num_hidden_layers=4,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[32, 32, 8, 8],  # the first two are the backbone's own
        neck_ignore_stages=[0, 1],
        fusion_hidden_size=8,
        readout_type="project",
        use_auxiliary_head=False,
    )
    _save(t.DPTForDepthEstimation, config, folder)
    size = {"height": 64, "width": 64}
    _processor("DPTImageProcessorPil", size=size).save_pretrained(folder)


def clip(folder: Path) -> None:
    t = installed()
    size = write_tokenizer(folder)
    tower = {**_SIZES, "num_hidden_layers": 2, "intermediate_size": 32}
    text = {**tower, "vocab_size": size, "max_position_embeddings": 77}
    text |= {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": size - 1}
    config = t.CLIPConfig(
        text_config=text,
        vision_config={**tower, "image_size": 56, "patch_size": 14},
        projection_dim=16,
    )
    _save(t.CLIPModel, config, folder)
    _processor("CLIPImageProcessorPil", size={"shortest_edge": 56}, crop_size=56).save_pretrained(
        folder
    )


def owlvit(folder: Path, kind: str = "OwlViT") -> None:
    t = installed()
    size = write_tokenizer(folder)
    tower = {**_SIZES, "num_hidden_layers": 2, "intermediate_size": 32}
    text = {**tower, "vocab_size": size, "max_position_embeddings": 16}
    text |= {"bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": 0}
    config = getattr(t, f"{kind}Config")(
        text_config=text,
        vision_config={**tower, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    _save(getattr(t, f"{kind}ForObjectDetection"), config, folder)
    size_px = {"height": 64, "width": 64}
    _processor(f"{kind}ImageProcessorPil", size=size_px).save_pretrained(folder)


def owlv2(folder: Path) -> None:
    owlvit(folder, "Owlv2")


def write_tokenizer(folder: Path) -> int:
    """CLIP's tokenizer with bytes alone, and no merges; returns the number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(33, 127)]
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    kind = installed().CLIPTokenizer
    kind(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    return len(words)


MODELS: dict[str, Callable[[Path], None]] = {
    "dinov2": dinov2,
    "dinov2_with_registers": dinov2_with_registers,
    "depth_anything": depth_anything,
    "depth_anything_metric": depth_anything_metric,
    "dpt": dpt,
    "detr": detr,
    "rtdetr": rtdetr,
    "clip": clip,
    "owlvit": owlvit,
}
# Other kinds of the same families, which take as long again to export.
MORE_MODELS: dict[str, Callable[[Path], None]] = {
    "rtdetr_v2": rtdetr_v2,
    "d_fine": d_fine,
    "dpt_hybrid": dpt_hybrid,
    "owlv2": owlv2,
}
# What `models get` is given beside the folder.
OPTIONS: dict[str, list[str]] = {"clip": ["--words", "a cup,a bowl,an empty table"]}


def _transformer() -> dict[str, Any]:
    layers = {"encoder_layers": 1, "decoder_layers": 1}
    return {**layers, "d_model": 32, "encoder_attention_heads": 2, "decoder_attention_heads": 2}


def _dpt_processor(side: int, multiple: int) -> Any:
    size = {"height": side, "width": side}
    return _processor(
        "DPTImageProcessorPil", size=size, keep_aspect_ratio=True, ensure_multiple_of=multiple
    )


def _processor(name: str, **given: Any) -> Any:
    return getattr(installed(), name)(**given)


def _save(kind: Any, config: Any, folder: Path, *, small: str = "") -> None:
    """With weights so large that pictures make a difference to what comes out, but `small`."""
    torch.manual_seed(0)
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.5 / float(np.sqrt(parameter[0].numel())))
        if small:
            model.get_parameter(small).mul_(0.02)
    model.save_pretrained(folder)
