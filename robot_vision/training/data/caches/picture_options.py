"""Options of every picture task: sets, sizes, random views."""

from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Size
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import Resolution


class PictureOptions(Params):
    """The training data. Tasks add their own choices, and other defaults."""

    train_set: str = param("", "training set of a suitable kind; FOLDER@PART names a part")
    val_set: str = param("", "held-out set; empty: nothing is evaluated")
    test_set: str = param(
        "", "set for measuring an export; empty: val_set, which selected the weights"
    )
    evaluation_images: int = param(200, "images of an evaluation while training", ge=1)
    cache_dir: str = param("", "folder of decoded samples; empty: `cache` inside the set")
    resolutions: list[Resolution] = param(
        [Resolution()], "sizes in the order of `until`", min_length=1
    )
    augmentation: Augmentation = Augmentation()

    def held_out_folder(self, data: Path | None) -> str:
        """`data`, else `test_set`, else `val_set`; raises `ConfigError` if there is none."""
        if not (data or self.test_set or self.val_set):
            raise ConfigError("the recipe has no options.val_set: give the held-out set (--data)")
        return str(data or self.test_set or self.val_set)

    def held_out_sets(self) -> dict[str, str]:
        """The given sets, as `options.<name> = <folder>`, to be checked before training."""
        named = {"val_set": self.val_set, "test_set": self.test_set}
        return {f"options.{name} = {folder!r}": folder for name, folder in named.items() if folder}

    @property
    def served_size(self) -> Size:
        """The final training size, used for evaluation and export."""
        last = self.resolutions[-1]
        return Size(width_px=last.width_px, height_px=last.height_px)
