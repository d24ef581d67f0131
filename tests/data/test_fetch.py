"""`ness-bench data fetch` against a server of its own: whole files or none."""

import dataclasses
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from image_files import archive_of, cifar100_files, write_pickles

from ness_bench.cli import main
from ness_bench.data.fetch import DOWNLOADS, Download
from ness_bench.data.named import BATCHES, load_named


class Server(ThreadingHTTPServer):
    """Serves `files`; of those in `cut` it sends half and hangs up. `asked` are the paths that were asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cut, self.asked = {}, set(), []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.asked.append(name)
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", len(content))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if name in self.server.cut else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cifar100(tmp_path, server, monkeypatch):
    """A small archive on the server, with its sum as the published one."""
    folder = write_pickles(tmp_path / "cifar-100-python", cifar100_files(1))
    content = archive_of(folder, "cifar-100-python.tar.gz").read_bytes()
    server.files["cifar-100-python.tar.gz"] = content
    published(monkeypatch, "cifar100", {"cifar-100-python.tar.gz": content}, server.url)
    return content


def published(monkeypatch, name, files, url):
    downloads = [
        Download(path, f"{url}/{path.rpartition('/')[2]}", hashlib.md5(content).hexdigest())
        for path, content in files.items()
    ]
    monkeypatch.setitem(DOWNLOADS, name, tuple(downloads))


@pytest.fixture
def fetch(monkeypatch, tmp_path, capsys):
    """Runs the command; returns its exit code, what it printed, and what it said was wrong."""

    def run(name, to=tmp_path / "downloads"):
        monkeypatch.setattr("sys.argv", ["ness-bench", "data", "fetch", name, "--to", str(to)])
        code = 0
        try:
            main()
        except SystemExit as exited:
            code = exited.code or 0
        shown = capsys.readouterr()
        return code, shown.out, " ".join(shown.err.split())

    run.to = tmp_path / "downloads"
    return run


def left_behind(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_a_whole_file_is_fetched_once_and_stays_packed(server, cifar100, fetch):
    code, printed, _ = fetch("cifar100")
    assert code == 0
    assert "cifar-100-python.tar.gz is whole" in printed
    assert left_behind(fetch.to) == ["cifar-100-python.tar.gz"]
    assert (fetch.to / "cifar-100-python.tar.gz").read_bytes() == cifar100
    assert len(load_named(str(fetch.to)).test) == 100
    assert fetch("cifar100")[0] == 0
    assert server.asked == ["cifar-100-python.tar.gz"]


def test_a_damaged_file_is_replaced(server, cifar100, fetch):
    fetch.to.mkdir()
    (fetch.to / "cifar-100-python.tar.gz").write_bytes(cifar100[:-9])
    assert fetch("cifar100")[0] == 0
    assert (fetch.to / "cifar-100-python.tar.gz").read_bytes() == cifar100


def test_another_file_is_refused_and_not_kept(server, cifar100, fetch):
    server.files["cifar-100-python.tar.gz"] = cifar100 + b"!"
    code, _, error = fetch("cifar100")
    assert code == 2
    assert hashlib.md5(cifar100).hexdigest() in error
    assert hashlib.md5(cifar100 + b"!").hexdigest() in error
    assert left_behind(fetch.to) == []


def test_a_download_that_breaks_off(server, cifar100, fetch):
    server.cut.add("cifar-100-python.tar.gz")
    code, _, error = fetch("cifar100")
    assert code == 2
    assert f"{server.url}/cifar-100-python.tar.gz broke off" in error
    assert left_behind(fetch.to) == []


def test_a_file_that_is_not_there(server, cifar100, fetch):
    server.files.clear()
    code, _, error = fetch("cifar100")
    assert code == 2
    assert "was refused (404" in error
    assert left_behind(fetch.to) == []


def test_no_server(server, cifar100, fetch):
    server.shutdown()  # first: a server that still polls a closed socket takes a last connection
    server.server_close()
    code, _, error = fetch("cifar100")
    assert code == 2
    assert f"{server.url}/cifar-100-python.tar.gz could not be reached" in error
    assert "Connection refused" in error
    assert f"(MD5 {hashlib.md5(cifar100).hexdigest()}) by other means and put it at" in error
    assert left_behind(fetch.to) == []


def test_four_files_of_which_two_are_whole(server, fetch, monkeypatch):
    files = {download.path: download.path.encode() for download in DOWNLOADS["fashion-mnist"]}
    names = [path.removeprefix("fashion-mnist/") for path in files]
    published(monkeypatch, "fashion-mnist", files, server.url)
    server.files = {name: files[f"fashion-mnist/{name}"] for name in names[:2]}
    assert fetch("fashion-mnist")[0] == 2
    assert left_behind(fetch.to) == sorted(f"fashion-mnist/{name}" for name in names[:2])
    server.files = {name: files[f"fashion-mnist/{name}"] for name in names[2:]}
    assert fetch("fashion-mnist")[0] == 0
    assert left_behind(fetch.to) == sorted(files)
    assert server.asked == [*names[:3], *names[2:]]


def test_an_unpacked_folder_is_used_if_it_is_whole(server, cifar100, fetch, monkeypatch):
    folder = write_pickles(fetch.to, {}) / "cifar-100-python"
    write_pickles(folder, cifar100_files(1))
    code, _, error = fetch("cifar100")
    assert code == 2  # it has 100 images, not 50,000
    assert f"{folder} is read before any archive, but is not whole (train has 100 images" in error
    small = dataclasses.replace(BATCHES["cifar100"], train_images=100, test_images=100, mean=(127.5, 127.5, 127.5))
    monkeypatch.setitem(BATCHES, "cifar100", small)
    code, printed, _ = fetch("cifar100")
    assert (code, server.asked) == (0, [])
    assert str(folder) in printed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("imagenet16-120", "cannot be fetched, since ImageNet asks for registration; get it yourself from https://"),
        ("cifar1O", 'no data set "cifar1O" can be fetched; did you mean "cifar10"?; allowed: cifar10, cifar100, fash'),
        ("fashion", "fashion, its shipped subset, needs no download"),
    ],
)
def test_what_cannot_be_fetched(fetch, name, message):
    code, _, error = fetch(name)
    assert code == 2
    assert message in error
    assert not fetch.to.exists()


def test_the_published_sums():
    sums = {download.path: download.md5 for downloads in DOWNLOADS.values() for download in downloads}
    assert sums["cifar-10-python.tar.gz"] == "c58f30108f718f92721af3b95e74349a"
    assert sums["cifar-100-python.tar.gz"] == "eb9058c3a382ffc7106e4002c42a8d85"
    assert sums["fashion-mnist/t10k-labels-idx1-ubyte.gz"] == "bb300cfdad3c16e7a12a480ee83cd310"
