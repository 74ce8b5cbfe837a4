"""Scores to rasters: classes or values, and where asked probabilities and logits."""

from __future__ import annotations

import numpy
from rasterio.windows import Window

from geodag.program import StepError
from geodag.raster import cog, read

NODATA = -9999.0
NO_CLASS = -1
MOST_CLASSES = 32768  # int16 holds their numbers


def softmax(scores: numpy.ndarray, axis: int) -> numpy.ndarray:
    e = numpy.exp(scores - scores.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def sigmoid(scores: numpy.ndarray) -> numpy.ndarray:
    return 1 / (1 + numpy.exp(-scores.clip(-80, 80)))


class Outputs:
    """The rasters of one scene, made when the first scores say how many channels there are.

    ``<stem>_pred.tif``: int16 classes with nodata -1, or float32 with nodata -9999 (one band a value);
    ``_probabilities.tif`` and ``_logits.tif``: float32, a band a class, nodata -9999. A pixel that the
    scene has no data for, or whose score is no number, is nodata.
    """

    def __init__(self, job, stack, like, valid, stem: str, task: str, gives: str, threshold, extra: list[str]) -> None:
        self.job, self.stack, self.like, self.valid, self.stem = job, stack, like, valid, stem
        self.task, self.gives, self.threshold, self.extra = task, gives, threshold, extra
        self.numbered = gives == "classes"  # class numbers by the metadata or the graph, not by their type alone
        self.counted: dict[int, int] = {}
        self.no_number = self.good = 0
        self.targets: dict = {}

    @property
    def labels(self) -> bool:
        return self.task in ("segmentation", "classification", "multilabel")

    def open(self, channels: int) -> None:
        """Makes the rasters, once: in the thread that will close them, as rasterio wants it."""
        if self.targets:
            return
        if self.labels and channels > MOST_CLASSES:
            raise StepError("model.bad_output", f"the model gives {channels} classes: at most {MOST_CLASSES} can be told apart")
        if self.labels and self.gives == "classes":
            self._settle(channels)
        names = [f"class {n}" for n in range(channels)]
        if self.labels:
            bands = channels if self.task == "multilabel" else 1
            made = [("prediction", "model_output_image", "pred", bands, "int16", NO_CLASS, names if bands > 1 else ["prediction"])]
        else:
            texts = ["prediction"] if channels == 1 else [f"prediction {n}" for n in range(channels)]
            made = [("prediction", "model_output_image", "pred", channels, "float32", NODATA, texts)]
        for kind in self.extra:
            made.append((kind, f"model_output_{kind}", kind, channels, "float32", NODATA, names))
        for kind, key, suffix, bands, dtype, nodata, texts in made:
            path = self.job.write(key, f"{self.stem}_{suffix}.tif")
            self.targets[kind] = self.stack.enter_context(cog(path, self.like, bands, dtype, nodata, texts))

    def _settle(self, channels: int) -> None:
        """Whole numbers in several channels are scores, unless somebody says that they are classes."""
        if channels > 1 or self.task == "multilabel":
            if self.numbered and self.task != "multilabel":
                raise StepError("model.bad_output", f"the model gives class numbers in {channels} channels: it must give one, or inference.gives: logits")
            self.gives = "logits"
        elif self.extra:
            raise StepError(
                "model.bad_runtime", f"output_on_inference: the model gives class numbers, of which no {self.extra[0]} can be made: ask for prediction alone"
            )

    def write(self, row: int, scores: numpy.ndarray) -> None:
        """Takes ``scores`` [channel, row, column] from ``row`` on."""
        window = Window(0, row, self.like.width, scores.shape[1])
        finite = self._numbers(scores)
        data = read(self.valid, 1, window, "input") != 0
        self.no_number += int(numpy.count_nonzero(data & ~finite))
        data &= finite
        self.good += int(numpy.count_nonzero(data))
        out = self._prediction(scores, data)
        out[:, ~data] = NO_CLASS if self.labels else NODATA
        self.targets["prediction"].write(out, window=window)
        if self.labels and out.shape[0] == 1:
            for value, count in zip(*numpy.unique(out, return_counts=True)):
                self.counted[int(value)] = self.counted.get(int(value), 0) + int(count)
        for kind in self.extra:
            values = self._probabilities(scores) if kind == "probabilities" else scores.astype("float32")
            values[:, ~data] = NODATA
            self.targets[kind].write(values, window=window)

    def _numbers(self, scores: numpy.ndarray) -> numpy.ndarray:
        """Which pixels [row, column] have scores that say something.

        Minus infinity is how a graph rules a class out; infinity in two classes, or minus infinity in
        all, is what overflow leaves: no class is the largest.
        """
        finite = numpy.isfinite(scores)
        if not self.labels or finite.all():
            return finite.all(axis=0)
        known = ~numpy.isnan(scores).any(axis=0)
        if self.task != "multilabel" and scores.shape[0] > 1:
            most = numpy.isposinf(scores).sum(axis=0)
            known &= numpy.where(most > 0, most == 1, finite.any(axis=0))
        return known

    def _prediction(self, scores: numpy.ndarray, data: numpy.ndarray) -> numpy.ndarray:
        if not self.labels:
            return scores.astype("float32")
        if self.gives == "classes":
            known = numpy.where(data, scores[:1], NO_CLASS)
            if known.min() < NO_CLASS or known.max() >= MOST_CLASSES:
                worst = known.max() if known.max() >= MOST_CLASSES else known.min()
                raise StepError("model.bad_output", f"the model gives class {worst:.0f}: a class is a number from 0 to {MOST_CLASSES - 1}, and {NO_CLASS} is none")
            return known.astype("int16")
        if scores.shape[0] == 1 or self.task == "multilabel":
            with numpy.errstate(invalid="ignore"):
                return (scores > self.threshold).astype("int16")
        return scores.argmax(axis=0, keepdims=True).astype("int16")

    def _probabilities(self, scores: numpy.ndarray) -> numpy.ndarray:
        if self.gives == "probabilities":
            return scores.astype("float32")
        with numpy.errstate(invalid="ignore"):
            return sigmoid(scores) if scores.shape[0] == 1 or self.task == "multilabel" else softmax(scores, 0)

    def check(self) -> None:
        """Fails with ``model.bad_output`` where no pixel with data got a number."""
        if self.no_number and not self.good:
            raise StepError(
                "model.bad_output",
                "the model gives no number (NaN, or infinity for every class) for any pixel: check mean, std and scale, and float16 models for values beyond 65504",
            )
