"""The public behaviours of SEER's aggregators, and its example, which leads nowhere else."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aggregator.reports import Aggregator, Collector, addons, messages
from aggregator.reports.calls import Message
from tests.sources_read import ROOT

#: The example of SEER's documentation, as it was written but for what Python 3 writes otherwise.
AS_WRITTEN = '''
import os, logging
from aggregator.reports import Aggregator, messages

class FileProcessor(Aggregator):
    """ Processor that deals with FileList and File messages """
    reporttype = 'FileOutput'
    updatetype = 'FileList'
    requesttypes = 'File', 'FileList',
    storagedir = STORAGE

    def __init__(self):
        self.newfiles = []
        if not os.path.isdir(self.storagedir):
            os.makedirs(self.storagedir)

    def processReport(self, msg):
        """ Handle new file given to us from the experiment """
        data = messages.Files()
        data.ParseFromString(msg.data)
        for f in data.files:
            fp = open(os.path.join(self.storagedir, f.name), 'wb')
            fp.write(f.data)
            fp.close()
            self.newfiles.append(f.name)

    def processREQUEST(self, msg):
        """ Get/Gather FileList or File """
        if msg.type == 'FileList':
            return self.getFileList(False)
        elif msg.type == 'File':
            return self.getFileData(msg.filename)

    def getUpdateMessage(self):
        """ Send update FileList if something changed """
        if len(self.newfiles) <= 0:
            return None
        self.newfiles = []
        return self.getFileList(True)

    def getFileList(self, adddata):
        data = messages.Files()
        for f in sorted(os.listdir(self.storagedir)):
            file = data.files.add()
            file.name = f
            file.modtime = os.path.getmtime(os.path.join(self.storagedir, file.name))
            if adddata:
                try:
                    fp = open(os.path.join(self.storagedir, file.name), 'rb')
                    file.data = fp.read()
                    fp.close()
                except IOError as error:
                    logging.warning("Failed open/read %s" % file.name)
        return data.SerializeToString()

    def getFileData(self, name):
        try:
            fp = open(os.path.join(self.storagedir, name), 'rb')
            data = messages.Files()
            file = data.files.add()
            file.name = name
            file.modtime = os.path.getmtime(os.path.join(self.storagedir, name))
            file.data = fp.read()
            fp.close()
        except IOError as error:
            logging.warning("Failed open/read %s" % name)
            return None
        return data.SerializeToString()
'''


def shipped(name: str) -> ModuleType:
    """A module of `modules/`, loaded as nobody else's."""
    spec = importlib.util.spec_from_file_location(
        f"shipped_{name}", ROOT / "modules" / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["as written", "shipped"])
def processor(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The example; that of the documentation, and the one that ships."""
    storage = str(tmp_path / "dir")
    if request.param == "as written":
        names: dict[str, Any] = {"STORAGE": storage, "__name__": "as_written"}
        exec(AS_WRITTEN, names)
        return names["FileProcessor"]()
    found = shipped("file_processor").FileProcessor
    return type("FileProcessor", (found,), {"storagedir": storage})()


def sent(**files: bytes) -> Message:
    """A report of files."""
    data = messages.Files()
    for name, content in files.items():
        data.files.add(name=name, modtime=1.5, data=content)
    return Message({"type": "FileOutput", "node": "node1", "data": data.SerializeToString()})


def asked(type: str, **arguments: str) -> Message:
    return Message({**arguments, "type": type})


def read(answer: Any) -> dict[str, bytes | None]:
    """Names and contents of the files in an answer; None for one without its data."""
    files = messages.Files.FromString(answer).files
    return {file.name: file.data if file.HasField("data") else None for file in files}


class TestExample:
    def test_process_report_saves_the_files(self, processor: Any) -> None:
        processor.processReport(sent(a=b"one", b=b"\0\xff"))
        folder = Path(processor.storagedir)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            "a": b"one",
            "b": b"\0\xff",
        }

    def test_file_list_is_answered_without_data(self, processor: Any) -> None:
        processor.processReport(sent(a=b"one"))
        assert read(processor.processREQUEST(asked("FileList"))) == {"a": None}

    def test_file_is_answered_with_its_data(self, processor: Any) -> None:
        processor.processReport(sent(a=b"one", b=b"two"))
        answer = processor.processREQUEST(asked("File", filename="b"))
        assert read(answer) == {"b": b"two"}
        [file] = messages.Files.FromString(answer).files
        assert file.modtime == pytest.approx(
            os.path.getmtime(os.path.join(processor.storagedir, "b"))
        )

    def test_a_file_that_can_not_be_read_is_none(self, processor: Any) -> None:
        assert processor.processREQUEST(asked("File", filename="missing")) is None

    def test_an_unknown_request_is_none(self, processor: Any) -> None:
        assert processor.processREQUEST(asked("Other")) is None

    def test_an_update_has_the_whole_list_with_data(self, processor: Any) -> None:
        processor.processReport(sent(a=b"one"))
        assert read(processor.getUpdateMessage()) == {"a": b"one"}
        processor.processReport(sent(b=b"two"))
        assert read(processor.getUpdateMessage()) == {"a": b"one", "b": b"two"}

    def test_no_update_where_nothing_came(self, processor: Any) -> None:
        assert processor.getUpdateMessage() is None
        processor.processReport(sent(a=b"one"))
        assert processor.getUpdateMessage() is not None
        assert processor.getUpdateMessage() is None


class TestBase:
    def test_the_classes_are_defined_in_addons(self) -> None:
        assert addons.Aggregator is Aggregator
        assert Aggregator.__module__ == Collector.__module__ == "aggregator.reports.addons"

    def test_the_methods_do_nothing_and_return_none(self) -> None:
        plain: Any = Aggregator()
        message = asked("Any")
        assert plain.processReport(message) is None
        assert plain.processREQUEST(message) is None
        assert plain.getUpdateMessage() is None
        assert plain.doUpdates(0.0) is None
        collector: Any = Collector()
        assert collector.getReport(0.0) is None
        assert collector.connectStateChanged(True) is None

    def test_class_attributes_say_nothing_by_default(self) -> None:
        assert (Aggregator.reporttype, Aggregator.updatetype) == ("", "")
        assert (Aggregator.requesttypes, Aggregator.dependencies) == ((), ())

    def test_what_is_saved_is_restored(self) -> None:
        class Own(Aggregator):
            kept = addons.InMemory()

        assert Own().restoreData({"none": 1}) == {"none": 1}
        Own().saveData({"a": [1, None]})
        assert Own().restoreData() == {"a": [1, None]}


class TestShipped:
    @pytest.fixture
    def safe(self, tmp_path: Path) -> Any:
        found = shipped("file_processor").FileProcessor
        return type("FileProcessor", (found,), {"storagedir": str(tmp_path / "dir")})()

    @pytest.mark.parametrize(
        "name",
        [
            "", ".", "..", "../escaped", "/tmp/escaped", "a/b", "a\0b", ".hidden", "a\nb",
            "x" * 201, "\u202eexe.txt", ".new", "é" * 101,
        ],
    )  # fmt: skip
    def test_no_name_leads_out_of_the_folder(self, safe: Any, tmp_path: Path, name: str) -> None:
        outside = tmp_path / "escaped"
        safe.processReport(sent(**{name: b"x", "good": b"y"}))
        assert os.listdir(safe.storagedir) == ["good"]
        assert not outside.exists()
        assert not Path("/tmp/escaped").exists()
        assert safe.processREQUEST(asked("File", filename=name)) is None

    def test_a_link_in_the_folder_is_not_followed(self, safe: Any, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("secret")
        link = Path(safe.storagedir, "link")
        link.symlink_to(secret)
        assert safe.processREQUEST(asked("File", filename="link")) is None
        assert read(safe.processREQUEST(asked("FileList"))) == {"link": None}
        safe.processReport(sent(link=b"new"))
        assert secret.read_text() == "secret"
        assert not link.is_symlink()
        assert link.read_bytes() == b"new"
        Path(safe.storagedir, ".new").symlink_to(secret)
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            safe.processReport(sent(other=b"new"))
        assert secret.read_text() == "secret"

    def test_a_pipe_in_the_folder_keeps_nobody_waiting(self, safe: Any) -> None:
        os.mkfifo(os.path.join(safe.storagedir, "pipe"))
        assert safe.processREQUEST(asked("File", filename="pipe")) is None
        os.mkdir(os.path.join(safe.storagedir, "folder"))
        safe.processReport(sent(folder=b"x", good=b"y"))
        assert Path(safe.storagedir, "folder").is_dir()

    def test_there_may_not_be_any_number_of_files(
        self, safe: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import sys  # noqa: PLC0415

        module = sys.modules.get(type(safe).__mro__[1].__module__)
        names = vars(module) if module else type(safe).__mro__[1].processReport.__globals__
        monkeypatch.setitem(names, "MOST_FILES", 3)
        safe.processReport(sent(**{f"f{number}": b"" for number in range(5)}))
        assert sorted(os.listdir(safe.storagedir)) == ["f0", "f1", "f2"]
        safe.processReport(sent(f1=b"again", f9=b""))
        assert Path(safe.storagedir, "f1").read_bytes() == b"again"

    def test_a_folder_of_others_is_not_used(self, tmp_path: Path) -> None:
        found = shipped("file_processor").FileProcessor
        theirs = tmp_path / "theirs"
        theirs.mkdir(mode=0o700)
        theirs.chmod(0o777)
        with pytest.raises(PermissionError, match="not ours alone"):
            type("FileProcessor", (found,), {"storagedir": str(theirs)})()
        link = tmp_path / "link"
        link.symlink_to(tmp_path)
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            type("FileProcessor", (found,), {"storagedir": str(link)})()

    def test_the_collector_reports_each_file_once(self, tmp_path: Path) -> None:
        found = shipped("file_reader").FileReader
        (tmp_path / "a").write_bytes(b"one")
        (tmp_path / ".hidden").write_bytes(b"")
        (tmp_path / "link").symlink_to(tmp_path / "a")
        own = type("FileReader", (found,), {"folder": str(tmp_path), "kept": addons.InMemory()})
        reader: Any = own()
        kind, data = reader.getReport(0.0)
        assert kind == "FileOutput"
        assert [(file.name, file.data) for file in data.files] == [("a", b"one")]
        assert reader.getReport(1.0) is None
        assert own().getReport(2.0) is None
        os.utime(tmp_path / "a", (5, 5))
        assert reader.getReport(3.0)[1].files[0].modtime == 5.0
        gone: Any = type("FileReader", (found,), {"folder": str(tmp_path / "gone")})()
        assert gone.getReport(0.0) is None
        # One that was gone is new when it comes back.
        (tmp_path / "a").unlink()
        assert reader.getReport(4.0) is None
        (tmp_path / "a").write_bytes(b"back")
        os.utime(tmp_path / "a", (5, 5))
        assert [file.data for file in reader.getReport(5.0)[1].files] == [b"back"]
