"""Options of every task without labels: frames, views, and a few labels for judging."""

from pydantic import model_validator

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Size
from robot_vision.training.data.caches.crops import CropOptions
from robot_vision.training.self_supervised.collapse import CollapseOptions
from robot_vision.training.self_supervised.views import ViewOptions


class FrameSize(Params):
    """The size at which frames are kept."""

    width_px: int = param(416, "width", unit="px", ge=32, le=4096)
    height_px: int = param(320, "height", unit="px", ge=32, le=4096)


class SelfSupervisedOptions(Params):
    """Frames need no label. With `labelled_set` and `labelled_val_set`, nearest neighbours judge
    the encoder during training, and select the weights to keep."""

    train_sets: list[str] = param(
        [], "folders of pictures, labelled sets, bags, datasets of episodes"
    )
    topics: list[str] = param([], "image topics of the bags; empty: found")
    every: int = param(1, "take every n-th frame of each set", ge=1)
    most_frames: int = param(0, "of all sets together, evenly spread; 0: all", ge=0)
    frame: FrameSize = FrameSize()
    cache_dir: str = param("", "folder of decoded frames; empty: `cache` inside each set")
    view_px: int = param(64, "side of a view", unit="px", ge=16, le=1024)
    served_width_px: int = param(0, "of what is exported; 0: the view's side", ge=0, le=4096)
    served_height_px: int = param(0, "of what is exported; 0: the view's side", ge=0, le=4096)
    views: ViewOptions = ViewOptions()
    labelled_set: str = param("", "pictures or crops of known class; empty: no k-NN")
    labelled_val_set: str = param("", "query pictures, classified by the nearest of these")
    labelled_pictures: int = param(2000, "of `labelled_set`, evenly spread; 0: all", ge=0)
    evaluation_images: int = param(1000, "of `labelled_val_set`, evenly spread", ge=1)
    crop: CropOptions = CropOptions()
    collapse: CollapseOptions = CollapseOptions()

    @model_validator(mode="after")
    def _both_labelled(self) -> "SelfSupervisedOptions":
        if bool(self.labelled_set) != bool(self.labelled_val_set):
            raise ValueError(
                "labelled_set and labelled_val_set go together: one is known, the other is the "
                "query"
            )
        return self

    @property
    def frame_size(self) -> Size:
        return Size(width_px=self.frame.width_px, height_px=self.frame.height_px)

    @property
    def view_size(self) -> Size:
        return Size(width_px=self.view_px, height_px=self.view_px)

    @property
    def served_size(self) -> Size:
        return Size(
            width_px=self.served_width_px or self.view_px,
            height_px=self.served_height_px or self.view_px,
        )
