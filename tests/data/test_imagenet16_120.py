import dataclasses

import numpy as np
import pytest
from image_files import imagenet16_files, images_of, python_2, python_3, write_pickles

from ness_bench.data import imagenet16_120
from ness_bench.data.named import load_named
from ness_bench.errors import NessBenchError


@pytest.fixture
def files():
    return imagenet16_files()


@pytest.fixture
def whole(files, monkeypatch):
    """The set counts as whole with as many images of the first 120 classes as the small files hold."""
    kept = {name: sum(label <= 120 for label in batch["labels"]) for name, batch in files.items()}
    test = kept.pop("val_data")
    batches = dataclasses.replace(imagenet16_120.BATCHES, train_images=sum(kept.values()), test_images=test)
    monkeypatch.setattr(imagenet16_120, "BATCHES", batches)
    return batches


@pytest.mark.parametrize("as_pickle", [python_2, python_3])
def test_the_first_120_classes_are_kept(tmp_path, files, whole, monkeypatch, as_pickle):
    write_pickles(tmp_path / "ImageNet16", files, as_pickle)
    monkeypatch.setenv("NESS_BENCH_DATA", str(tmp_path))
    data = load_named("imagenet16-120")
    assert len(data.train) + len(data.val) == whole.train_images
    assert (data.class_names[0], data.class_names[119], len(data.class_names)) == ("1", "120", 120)
    val = files["val_data"]
    expected = [
        (image.tobytes(), label - 1)
        for image, label in zip(images_of(val["data"], 16), val["labels"], strict=True)
        if label <= 120
    ]
    assert [
        (image.tobytes(), label) for image, label in zip(data.test.pixels, data.test.labels, strict=True)
    ] == expected


def test_other_counts_are_refused_with_what_was_found(tmp_path, files, whole):
    train, test = whole.train_images, whole.test_images
    files["train_data_batch_7"]["labels"][0] = 500
    folder = write_pickles(tmp_path / "ImageNet16", files)
    message = f"holds {train - 1} train and {test} val images of the first 120 classes; ImageNet16-120 has {train} and"
    with pytest.raises(NessBenchError, match=message):
        load_named(str(folder))


def test_the_published_counts():
    batches = imagenet16_120.BATCHES
    assert (batches.train_images, batches.test_images) == (151_700, 6_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0] * 30}, "label from 1 to 1000 .*image 0 has the label 0"),
        ({"labels": [1001] * 30}, "image 0 has the label 1001"),
        ({"data": np.zeros((30, 3072), np.uint8)}, r"data \[images, 768\].* data is uint8 \[30, 3072\]"),
    ],
)
def test_other_batches_are_refused(tmp_path, files, whole, change, message):
    files["train_data_batch_10"] |= change
    folder = write_pickles(tmp_path / "ImageNet16", files)
    with pytest.raises(NessBenchError, match=rf"train_data_batch_10 is damaged .*{message}"):
        load_named(str(folder))
