"""Wrong input of every kind: one line with the cause and the nearest right name, exit 2, nothing written."""

import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_suite import build_suite, only_run

from anisora.harness.cli import _run

ON_SUITE = "evaluate small/suite.yaml --videos"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A command line, the files and variables it meets, and what its one line must say."""

    name: str
    argv: str
    says: tuple[str, ...]
    files: Mapping[str, str | bytes | None] = field(default_factory=dict)
    """Written before; a path ending in / is a folder, None removes a file."""
    variables: Mapping[str, str] = field(default_factory=dict)


def suite_text(**changes: Any) -> str:
    column = {"metric": "sharpness", "header": "Sharpness"}
    content = {"name": "own", "version": 1, "title": "Own", "dataset": "manifest:path=small/items.csv"}
    return yaml.safe_dump({**content, "columns": [column], **changes}, sort_keys=False)


def rows_text(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


COMMANDS = [
    Wrong(name="no command", argv="", says=("Missing command", "anisora --help")),
    Wrong(name="unknown command", argv="evalaute custom --videos out", says=("'evalaute'", "'evaluate'")),
    Wrong(name="nothing like a command", argv="xyzzy", says=("'xyzzy'", "anisora --help")),
    Wrong(name="no sub-command", argv="suite", says=("Missing command", "anisora suite --help")),
    Wrong(name="unknown sub-command", argv="suite shwo small/suite.yaml", says=("'shwo'", "'show'")),
    Wrong(name="unknown option", argv="evaluate custom --video out", says=("'--video'", "'--videos'")),
    Wrong(
        name="unknown option with an underscore",
        argv="evaluate custom --videos out --alow_missing",
        says=("--alow-missing", "--allow-missing"),
    ),
    Wrong(name="option without its value", argv="evaluate custom --videos", says=("--videos", "requires an argument")),
    Wrong(name="no argument", argv="run --model ground-truth", says=("Missing argument 'SUITE'",)),
    Wrong(name="an argument too many", argv="verify a b", says=("unexpected extra argument", "b")),
    Wrong(name="no videos", argv="evaluate small/suite.yaml", says=("Missing option", "--videos")),
    Wrong(name="no model", argv="run small/suite.yaml", says=("Missing option", "--model")),
    Wrong(name="unknown list", argv="list metricz", says=("'metricz'", "'metrics'")),
]

SCORING = [
    Wrong(name="unknown suite", argv="evaluate demmo --videos out", says=("'demmo'", "'demo'")),
    Wrong(name="unknown suite to show", argv="suite show demmo", says=("'demmo'", "'demo'")),
    Wrong(name="unknown suite to run", argv="run demmo --model ground-truth", says=("'demmo'", "'demo'")),
    Wrong(
        name="suite file misspelt",
        argv="evaluate small/siute.yaml --videos out",
        says=("small/siute.yaml", "does not exist", "small/suite.yaml"),
    ),
    Wrong(name="unknown metric", argv=f"{ON_SUITE} out --metrics sharpnes", says=("'sharpnes'", "'sharpness'")),
    Wrong(name="unknown group", argv=f"{ON_SUITE} out --metrics croe", says=("'croe'", "anisora list metrics")),
    Wrong(name="no metric", argv=f"{ON_SUITE} out --metrics ,", says=("--metrics", "','", "names separated")),
    Wrong(name="unknown label", argv=f"{ON_SUITE} out --labels wlak", says=("'wlak'", "'walk'")),
    Wrong(name="no label", argv=f"{ON_SUITE} out --labels ,", says=("--labels", "names separated")),
    Wrong(name="limit 0", argv=f"{ON_SUITE} out --limit 0", says=("--limit", "0", "x>=1")),
    Wrong(name="limit in words", argv=f"{ON_SUITE} out --limit two", says=("--limit", "'two'", "integer")),
    Wrong(name="seeds in words", argv=f"{ON_SUITE} out --seeds one", says=("--seeds", "'one'", "0,1,2")),
    Wrong(name="negative seed", argv=f"{ON_SUITE} out --seeds=-3", says=("--seeds", "'-3'", "0,1,2")),
    Wrong(name="seeds backwards", argv=f"{ON_SUITE} out --seeds 5-2", says=("--seeds", "'5-2'", "0,1,2")),
    Wrong(name="a seed twice", argv=f"{ON_SUITE} out --seeds 1,1", says=("--seeds", "[1, 1]", "distinct")),
    Wrong(
        name="more seeds than memory",
        argv=f"{ON_SUITE} out --seeds 0-99999999999",
        says=("--seeds", "0-99999999999", "at most"),
    ),
    Wrong(name="workers 0", argv=f"{ON_SUITE} out --workers 0", says=("--workers", "1<=x<=64")),
    Wrong(name="unknown decode", argv=f"{ON_SUITE} out --decode tagget", says=("'tagget'", "'tagged'")),
    Wrong(name="unknown decoder", argv=f"{ON_SUITE} out --decoder ffmpeg", says=("'ffmpeg'", "'av'", "'decord'")),
    Wrong(name="unknown match", argv=f"{ON_SUITE} out --match number", says=("'number'", "'order'")),
    Wrong(name="frame rate 0", argv=f"{ON_SUITE} out --fps 0", says=("--fps", "x>0")),
    Wrong(name="frame rate not a number", argv=f"{ON_SUITE} out --fps nan", says=("--fps", "nan", "finite")),
    Wrong(name="frame rate endless", argv=f"{ON_SUITE} out --fps inf", says=("--fps", "inf", "finite")),
    Wrong(
        name="out is a file",
        argv=f"{ON_SUITE} out --out small/items.csv",
        says=("--out", "small/items.csv", "is a file"),
    ),
    Wrong(
        name="out is below a file",
        argv=f"{ON_SUITE} out --out small/items.csv/runs",
        says=("--out", "small/items.csv", "folder"),
    ),
    Wrong(name="database is a folder", argv=f"{ON_SUITE} out --db small", says=("--db", "`small`", "is a folder")),
    Wrong(
        name="database in no folder",
        argv=f"{ON_SUITE} out --db small/items.csv/board.duckdb",
        says=("--db", "small/items.csv", "folder"),
    ),
    Wrong(name="cache is a file", argv=f"{ON_SUITE} out --cache small/items.csv", says=("--cache", "small/items.csv")),
    Wrong(name="out is too long", argv=f"{ON_SUITE} out --out {'a' * 300}", says=("aaaa", "too long", "shorter")),
    Wrong(name="database is too long", argv=f"{ON_SUITE} out --db {'a' * 300}", says=("aaaa", "too long", "shorter")),
    Wrong(name="database is a text", argv=f"{ON_SUITE} out --db small/items.csv", says=("--db", "no leaderboard")),
    Wrong(
        name="a system's name that cannot be printed", argv=f"{ON_SUITE} out --model 'a\x07'", says=("--model", "\\x07")
    ),
    Wrong(
        name="a system's name that is no text", argv=f"{ON_SUITE} out --model 'a\udcff'", says=("--model", "\\udcff")
    ),
    Wrong(
        name="a folder's name that is no text",
        argv="evaluate custom --videos 'a\udcff'",
        files={"a\udcff/item00.mkv": b"x"},
        says=("--model", "\\udcff"),
    ),
    Wrong(name="no weights folder", argv=f"{ON_SUITE} out --weights wieghts", says=("--weights", "wieghts", "folder")),
]

MODELS = [
    Wrong(
        name="unknown model",
        argv="run small/suite.yaml --model damage/freez",
        says=("'damage/freez'", "'damage/freeze'"),
    ),
    Wrong(
        name="unknown model argument",
        argv="run small/suite.yaml --model damage/freeze:severty=1",
        says=("'damage/freeze'", "'severty'", "severity"),
    ),
    Wrong(
        name="model argument without a value",
        argv="run small/suite.yaml --model damage/freeze:severity=",
        says=("'severity='", "name:key=value"),
    ),
    Wrong(
        name="model argument twice",
        argv="run small/suite.yaml --model damage/freeze:severity=1,severity=0.5",
        says=("'severity=0.5'", "name:key=value"),
    ),
    Wrong(name="model without a name", argv="run small/suite.yaml --model :tiny", says=("':tiny'", "no name")),
    Wrong(name="empty model", argv="run small/suite.yaml --model ''", says=("no name", "name:key=value")),
    Wrong(
        name="severity too high",
        argv="run small/suite.yaml --model damage/freeze:severity=2",
        says=("`severity`", "got 2", "from 0 to 1"),
    ),
    Wrong(
        name="severity in words",
        argv="run small/suite.yaml --model damage/freeze:severity=much",
        says=("`severity`", "'much'", "from 0 to 1"),
    ),
    Wrong(
        name="severity not a number",
        argv="run small/suite.yaml --model damage/freeze:severity=nan",
        says=("`severity`", "nan", "from 0 to 1"),
    ),
    Wrong(
        name="unknown encoder",
        argv="run small/suite.yaml --model damage/freeze --encoder h265",
        says=("'h265'", "ffv1", "h264"),
    ),
    Wrong(
        name="encoder quality out of range",
        argv="run small/suite.yaml --model damage/freeze --encoder h264:crf=99",
        says=("99", "crf"),
    ),
    Wrong(
        name="unknown device",
        argv="run small/suite.yaml --model damage/freeze --device gpu",
        says=("--device", "'gpu'", "cuda"),
    ),
    Wrong(
        name="device number in words",
        argv="run small/suite.yaml --model damage/freeze --device cuda:first",
        says=("--device", "'cuda:first'", "cuda:0"),
    ),
    Wrong(
        name="height 0", argv="run small/suite.yaml --model damage/freeze --height 0", says=("--height", "0", "x>=1")
    ),
    Wrong(
        name="custom cannot be generated for",
        argv="run custom --model damage/freeze",
        says=("`custom`", "anisora suite import"),
    ),
    Wrong(
        name="generate with an unknown model",
        argv="generate small/suite.yaml --model grund-truth",
        says=("'grund-truth'", "'ground-truth'"),
    ),
    Wrong(
        name="recorded without videos",
        argv="run small/suite.yaml --model recorded",
        says=("`recorded`", "anisora evaluate"),
    ),
    Wrong(
        name="no ground truth to take",
        argv="run own.yaml --model ground-truth",
        files={
            "own.yaml": suite_text(dataset="manifest:path=own.jsonl"),
            "own.jsonl": rows_text({"id": "a"}, {"id": "b", "ground_truth": "out/item00.mkv"}),
        },
        says=("`ground-truth`", "1 of 2", "'a'", "--allow-missing"),
    ),
]

SUITES = [
    Wrong(name="no suite file", argv="suite validate own.yml", says=("own.yml", "does not exist", "has no"), files={}),
    Wrong(name="suite is a folder", argv="suite validate small/", says=("small", "a folder", "YAML")),
    Wrong(
        name="unknown key",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(colums=[])},
        says=("own.yaml", "`colums`", "'columns'"),
    ),
    Wrong(
        name="unknown key of a column",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(columns=[{"metric": "ssim", "header": "S", "decimal": 2}])},
        says=("own.yaml", "columns.0.decimal", "'decimals'"),
    ),
    Wrong(
        name="missing key",
        argv="suite validate own.yaml",
        files={"own.yaml": yaml.safe_dump({"name": "own", "version": 1, "title": "Own"})},
        says=("own.yaml", "`dataset` is missing"),
    ),
    Wrong(
        name="version in words",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(version="one")},
        says=("own.yaml", "`version`", "'one'", "integer"),
    ),
    Wrong(
        name="unknown metric of a column",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(columns=[{"metric": "sharpnes", "header": "S"}])},
        says=("'sharpnes'", "'sharpness'"),
    ),
    Wrong(
        name="run of a suite with an unknown metric",
        argv="evaluate own.yaml --videos out",
        files={"own.yaml": suite_text(columns=[{"metric": "sharpnes", "header": "S"}])},
        says=("'sharpnes'", "'sharpness'"),
    ),
    Wrong(
        name="unknown dataset",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(dataset="manifst:path=small/items.csv")},
        says=("'manifst'", "'manifest'"),
    ),
    Wrong(
        name="unknown argument of a dataset",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(dataset="manifest:pth=small/items.csv")},
        says=("'manifest'", "'pth'", "path"),
    ),
    Wrong(
        name="dataset without its argument",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(dataset="manifest")},
        says=("'manifest'", "path"),
    ),
    Wrong(
        name="missing dataset file",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(dataset="manifest:path=small/itmes.csv")},
        says=("small/itmes.csv", "does not exist", "small/items.csv"),
    ),
    Wrong(
        name="unknown reference model",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(reference="groud-truth")},
        says=("'groud-truth'", "'ground-truth'"),
    ),
    Wrong(
        name="unknown setting",
        argv="suite validate own.yaml",
        files={"own.yaml": suite_text(generation={"hight": 3})},
        says=("'hight'", "'height'"),
    ),
    Wrong(
        name="not YAML",
        argv="suite validate own.yaml",
        files={"own.yaml": "name: [own\nversion: {"},
        says=("own.yaml", "line", "not YAML"),
    ),
    Wrong(
        name="a list",
        argv="suite validate own.yaml",
        files={"own.yaml": "- 1\n- 2\n"},
        says=("own.yaml", "[1, 2]", "version"),
    ),
    Wrong(
        name="empty suite", argv="suite validate own.yaml", files={"own.yaml": ""}, says=("own.yaml", "None", "version")
    ),
    Wrong(
        name="not text",
        argv="suite validate own.yaml",
        files={"own.yaml": b"name: \x81\x82"},
        says=("own.yaml", "not YAML"),
    ),
    Wrong(
        name="import of no folder",
        argv="suite import otu --name own",
        says=("`otu`", "does not exist", "out`"),
    ),
    Wrong(
        name="import of an empty folder",
        argv="suite import empty --name own",
        files={"empty/": None},
        says=("empty", "no video"),
    ),
    Wrong(
        name="import under a name that is none",
        argv="suite import out --name Own!",
        says=("--name", "'Own!'", "small letters"),
    ),
    Wrong(
        name="import under a command's name",
        argv="suite import out --name show",
        says=("--name", "'show'"),
    ),
    Wrong(
        name="import under a path",
        argv="suite import out --name ../own",
        says=("--name", "'../own'", "small letters"),
    ),
    Wrong(
        name="import into a file that is there",
        argv="suite import out --name own",
        files={"own.jsonl": "{}\n"},
        says=("own.jsonl", "there already"),
    ),
    Wrong(
        name="import with an unknown metric",
        argv="suite import out --name own --metrics psrn",
        says=("'psrn'", "'psnr'"),
    ),
    Wrong(
        name="import with an unknown role",
        argv="suite import out --name own --role vidoe",
        says=("'vidoe'", "'video'"),
    ),
]


def manifest(name: str, content: str | bytes, *says: str, suffix: str = "jsonl") -> Wrong:
    path = f"own.{suffix}"
    return Wrong(name=name, argv=f"evaluate custom --videos {path}", files={path: content}, says=(path, *says))


VIDEO = {"id": "a", "video": "out/item00.mkv"}
MANIFESTS = [
    manifest("not JSON", "{id: a}\n", "line 1", "JSON"),
    manifest("not an object", '["a"]\n', "line 1"),
    manifest("no id", rows_text({"video": "out/item00.mkv"}), "line 1", "`id`", "name of the item"),
    manifest("an id twice", rows_text(VIDEO, VIDEO), "line 2", "'a'", "line 1 already"),
    manifest("a path as id", rows_text({**VIDEO, "id": "../a"}), "line 1", "`id`", "path separators"),
    manifest("seed in words", rows_text({**VIDEO, "seed": "x"}), "`seed`", "'x'", "whole number"),
    manifest("negative seed in a row", rows_text({**VIDEO, "seed": -1}), "`seed`", "-1", "whole number"),
    manifest("frame rate 0 in a row", rows_text({**VIDEO, "fps": 0}), "`fps`", "0", "above 0"),
    manifest(
        "position beyond the end",
        rows_text({**VIDEO, "keyframes": [{"position": 2, "image": "small/item00.png"}]}),
        "`keyframes`",
        "2",
        "from 0",
    ),
    manifest(
        "missing video",
        rows_text({**VIDEO, "video": "out/itme00.mkv"}),
        "line 1",
        "itme00.mkv",
        "does not exist",
        "item00.mkv",
    ),
    manifest("missing image", rows_text({**VIDEO, "image": "small/itme00.png"}), "`image`", "small/item00.png"),
    manifest("address as video", rows_text({**VIDEO, "video": "https://host/a.mp4"}), "`video`", "download it first"),
    manifest("no video in a row", rows_text({"id": "a"}), "line 1", "`video`", "'a'", "is empty"),
    manifest("a column that is nearly known", rows_text({**VIDEO, "promt": "x"}), "'promt'", "'prompt'"),
    manifest("a text as video", rows_text({**VIDEO, "video": "small/items.csv"}), "`video`", "items.csv", ".mp4"),
    manifest("a list as prompt", rows_text({**VIDEO, "prompt": [1]}), "`prompt`", "[1]", "text"),
    manifest("not UTF-8", b'{"id": "\xff\xfe"}\n', "UTF-8"),
    manifest("empty manifest", "", "own.jsonl", "empty"),
    manifest("a table without rows", "id,video\n", "own.csv", suffix="csv"),
    manifest("a table without ids", "name,video\na,out/item00.mkv\n", "`id`", suffix="csv"),
    manifest("a row too long", "id,video\na,out/item00.mkv,x\n", "line 2", suffix="csv"),
    manifest("no Parquet", b"PAR1 is not all", suffix="parquet"),
    manifest("not a manifest", "a\n", "'.txt'", ".jsonl", suffix="txt"),
    Wrong(
        name="VBench list that is none",
        argv="evaluate custom --videos own_full_info.json",
        files={"own_full_info.json": "{}"},
        says=("own_full_info.json", "VBench"),
    ),
]

VIDEOS = [
    Wrong(name="no such folder", argv=f"{ON_SUITE} otu", says=("otu`", "does not exist", "out`")),
    Wrong(name="no such folder of one's own", argv="evaluate custom --videos otu", says=("otu`", "out`")),
    Wrong(name="empty folder", argv=f"{ON_SUITE} empty", files={"empty/": None}, says=("empty", "no video")),
    Wrong(
        name="folder of folders of videos",
        argv=f"{ON_SUITE} outer",
        files={"outer/inner/item00.mkv": b"x"},
        says=("outer", "did you mean", "outer/inner"),
    ),
    Wrong(
        name="a video that matches no item",
        argv=f"{ON_SUITE} out",
        files={"out/itme00.mkv": b"x"},
        says=("match no item", "itme00", "item00"),
    ),
    Wrong(
        name="two videos for one item",
        argv=f"{ON_SUITE} out",
        files={"out/item00.MP4": b"x"},
        says=("two videos for item 'item00'", "item00.MP4", "item00.mkv"),
    ),
    Wrong(
        name="a missing video",
        argv=f"{ON_SUITE} out",
        files={"out/item01.mkv": None},
        says=("lacks 1 of 3", "'item01'", "--allow-missing"),
    ),
    Wrong(
        name="a row that matches no item",
        argv=f"{ON_SUITE} own.jsonl",
        files={"own.jsonl": rows_text({"id": "itme00", "video": "out/item00.mkv"})},
        says=("own.jsonl", "match no item", "itme00", "item00"),
    ),
    Wrong(
        name="a seed that the suite has not",
        argv=f"{ON_SUITE} out",
        files={"out/item00-7.mkv": b"x"},
        says=("match no item", "item00-7", "item00"),
    ),
    Wrong(
        name="all videos missing",
        argv=f"{ON_SUITE} none.jsonl --allow-missing",
        files={"none.jsonl": rows_text({"id": "item00", "video": "gone.mkv"})},
        says=("lacks 3 of 3", "'item00'"),
    ),
    Wrong(
        name="a name that fits two items",
        argv="evaluate own.yaml --videos two --allow-missing",
        files={
            "own.yaml": suite_text(dataset="manifest:path=own.jsonl", seeds=[0, 1]),
            "own.jsonl": rows_text({"id": "a"}, {"id": "a-1"}),
            "two/a-1.mkv": b"x",
        },
        says=("a-1.mkv", "'a'", "'a-1'", "manifest"),
    ),
    Wrong(
        name="several folders for a suite",
        argv="evaluate small/suite.yaml --videos out --videos other",
        says=("--videos", "2 folders", "evaluate custom"),
    ),
    Wrong(
        name="folders of different items",
        argv="evaluate custom --videos out --videos other",
        files={"other/item01.mkv": None},
        says=("other`", "lacks 1 of 3", "'item01'"),
    ),
    Wrong(
        name="one folder twice",
        argv="evaluate custom --videos out --videos ./out",
        says=("--videos", "different", "once"),
    ),
    Wrong(
        name="a name for several systems",
        argv="evaluate custom --videos out --videos other --model x",
        says=("--model", "'x'", "2 folders"),
    ),
    Wrong(name="limit of custom", argv="evaluate custom --videos out --limit 1", says=("--limit", "custom")),
    Wrong(name="labels of custom", argv="evaluate custom --videos out --labels a", says=("--labels", "custom")),
    Wrong(name="seeds of custom", argv="evaluate custom --videos out --seeds 1", says=("--seeds", "custom")),
    Wrong(name="order of custom", argv="evaluate custom --videos out --match order", says=("--match", "custom")),
    Wrong(
        name="a gap in the numbers",
        argv=f"{ON_SUITE} numbered --match order",
        files={"numbered/0.mkv": b"x", "numbered/2.mkv": b"y"},
        says=("numbered", "1"),
    ),
    Wrong(
        name="more numbers than items",
        argv=f"{ON_SUITE} numbered --match order",
        files={f"numbered/{number}.mkv": b"x" for number in range(4)},
        says=("'3'", "the 3 that the suite has", "from 0 to 2"),
    ),
    Wrong(
        name="no numbers for an order",
        argv=f"{ON_SUITE} named --match order",
        files={"named/walk.mkv": b"x"},
        says=("walk", "number"),
    ),
    Wrong(
        name="order of a manifest",
        argv=f"{ON_SUITE} none.jsonl --match order",
        files={"none.jsonl": rows_text({"id": "item00", "video": "out/item00.mkv"})},
        says=("none.jsonl", "--match order", "folder"),
    ),
    Wrong(
        name="frames without a frame rate",
        argv="evaluate custom --videos frames",
        files={"frames/a/0.png": b"x", "frames/a/1.png": b"y"},
        says=("frames/a", "frame rate", "--fps"),
    ),
    Wrong(
        name="only metrics whose inputs are missing",
        argv="evaluate custom --videos out --metrics psnr",
        says=("psnr", "ground truth", "manifest"),
    ),
    Wrong(
        name="unknown metric of custom", argv="evaluate custom --videos out --metrics ssmi", says=("'ssmi'", "'ssim'")
    ),
]

RUNS = [
    *(
        Wrong(name=f"{verb} what is not there", argv=f"{verb} runs/x", says=("`runs/x`", "does not exist"))
        for verb in ("rescore", "rerun", "verify")
    ),
    *(
        Wrong(name=f"{verb} a folder that is no run", argv=f"{verb} out", says=("`out`", "no run", "spec.yaml"))
        for verb in ("rescore", "rerun", "verify")
    ),
    *(
        Wrong(name=f"{verb} the folder of runs", argv=f"{verb} scored", says=("`scored`", "did you mean `{run}`"))
        for verb in ("rescore", "rerun", "verify")
    ),
    Wrong(name="verify a file", argv="verify small/items.csv", says=("small/items.csv", "no folder", "run")),
    Wrong(
        name="rescore with an unknown metric", argv="rescore {run} --metrics sarpness", says=("sarpness", "'sharpness'")
    ),
    Wrong(name="rescore with no metric", argv="rescore {run} --metrics ,", says=("--metrics", "names separated")),
    Wrong(
        name="rescore of a damaged specification",
        argv="rescore begun",
        files={"begun/spec.yaml": "suite: [\n"},
        says=("begun/spec.yaml", "damaged"),
    ),
    Wrong(
        name="rescore of a specification that lacks something",
        argv="rescore begun",
        files={"begun/spec.yaml": "suite: custom\n"},
        says=("begun/spec.yaml", "damaged", "suite_version"),
    ),
    Wrong(
        name="rescore of a specification that is no text",
        argv="rescore begun",
        files={"begun/spec.yaml": b"suite: \xff"},
        says=("begun/spec.yaml", "damaged", "utf-8"),
    ),
    Wrong(
        name="rescore of a specification that is a list",
        argv="rescore begun",
        files={"begun/spec.yaml": "[1]"},
        says=("begun/spec.yaml", "damaged", "all of it"),
    ),
    Wrong(
        name="rescore of a run of a suite that is gone",
        argv="rescore begun",
        files={
            "begun/spec.yaml": "suite: small\nsuite_version: 1\nsuite_source: smal/suite.yaml\nmodel: x\n"
            "model_spec: recorded\nseeds: [0]\nmetrics: [ssim]\n"
        },
        says=("smal/suite.yaml", "does not exist"),
    ),
    Wrong(
        name="no leaderboard",
        argv="leaderboard small",
        says=("`leaderboard.duckdb`", "does not exist", "anisora leaderboard rebuild"),
    ),
    Wrong(name="no leaderboard to compare in", argv="compare small a b", says=("leaderboard.duckdb", "does not exist")),
    Wrong(
        name="leaderboard misspelt",
        argv="leaderboard small --db bord.duckdb",
        says=("`bord.duckdb`", "does not exist", "board.duckdb`"),
    ),
    Wrong(
        name="leaderboard of an unknown suite",
        argv="leaderboard smal --db board.duckdb",
        says=("'smal'", "'small'"),
    ),
    Wrong(
        name="unknown format",
        argv="leaderboard small --db board.duckdb --format markdwon",
        says=("'markdwon'", "'markdown'"),
    ),
    Wrong(
        name="unknown column",
        argv="leaderboard small --db board.duckdb --metrics sharpnes",
        says=("'sharpnes'", "'sharpness'"),
    ),
    Wrong(
        name="unknown order",
        argv="leaderboard small --db board.duckdb --sort-by sharpnes",
        says=("'sharpnes'", "'sharpness'"),
    ),
    Wrong(
        name="unknown system",
        argv="leaderboard small --db board.duckdb --models otu",
        says=("'otu'", "'out'"),
    ),
    Wrong(
        name="unknown protocol field",
        argv="leaderboard small --db board.duckdb --allow-diff decoed",
        says=("'decoed'", "'decode'"),
    ),
    Wrong(
        name="unknown system to compare",
        argv="compare small otu out --db board.duckdb",
        says=("'otu'", "'out'"),
    ),
    Wrong(
        name="unknown metric to compare",
        argv="compare small out other --db board.duckdb --metrics sharpnes",
        says=("'sharpnes'", "'sharpness'"),
    ),
    Wrong(
        name="a system compared with itself",
        argv="compare small out out --db board.duckdb",
        says=("out", "two different"),
    ),
    Wrong(name="rebuild from no folder", argv="leaderboard rebuild --runs rnus", says=("`rnus`", "does not exist")),
    Wrong(
        name="rebuild from no runs",
        argv="leaderboard rebuild --runs small --db new.duckdb",
        says=("`small`", "no finished run"),
    ),
    Wrong(
        name="leaderboard is a text",
        argv="leaderboard small --db small/items.csv",
        says=("small/items.csv", "leaderboard"),
    ),
]

VARIABLES = [
    Wrong(
        name="limit 0 in a variable",
        argv=f"{ON_SUITE} out",
        variables={"ANISORA_LIMIT": "0"},
        says=("limit", "0", "x>=1"),
    ),
    Wrong(
        name="metric in a variable",
        argv=f"{ON_SUITE} out",
        variables={"ANISORA_METRICS": "sharpnes"},
        says=("'sharpnes'", "'sharpness'"),
    ),
    Wrong(
        name="workers in a variable",
        argv=f"{ON_SUITE} out",
        variables={"ANISORA_WORKERS": "many"},
        says=("workers", "'many'"),
    ),
    Wrong(
        name="a flag in a variable",
        argv=f"{ON_SUITE} out",
        variables={"ANISORA_ALLOW_MISSING": "perhaps"},
        says=("allow-missing", "'perhaps'"),
    ),
    Wrong(
        name="weights in a variable",
        argv=f"{ON_SUITE} out",
        variables={"ANISORA_WEIGHTS": "nowhere"},
        says=("--weights", "nowhere"),
    ),
    Wrong(
        name="a seed of random weights that is none",
        argv=f"{ON_SUITE} out",
        variables={"ANISORA_UNTRAINED": "x"},
        says=("'x'", "untrained"),
    ),
]

CASES = [*COMMANDS, *SCORING, *MODELS, *SUITES, *MANIFESTS, *VIDEOS, *RUNS, *VARIABLES]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite, two folders of clips for it, a finished run and a leaderboard."""
    folder = tmp_path_factory.mktemp("template")
    build_suite(folder / "small", items=3, num_frames=3, width=48, height=32)
    for system in ("out", "other"):
        (folder / system).mkdir()
        for clip in (folder / "small").glob("*.mkv"):
            shutil.copy(clip, folder / system)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for system, out in (("out", "scored"), ("other", "scored-too")):
            argv = f"{ON_SUITE} {system} --out {out} --db board.duckdb --cache off --quiet".split()
            assert _run(argv, debug=True) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def prepare(folder: Path, files: Mapping[str, str | bytes | None]) -> None:
    for name, content in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        elif content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_wrong_input_is_one_line_with_exit_2_and_writes_nothing(
    case: Wrong, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "here"
    shutil.copytree(template, folder)
    prepare(folder, case.files)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ANISORA_CACHE", str(folder / "cache"))
    for name, value in case.variables.items():
        monkeypatch.setenv(name, value)
    run = str(only_run(folder / "scored").relative_to(folder))
    before = contents(folder)

    code = _run([word.replace("{run}", run) for word in shlex.split(case.argv)], debug=False)

    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert (code, len(lines), told.out) == (2, 1, ""), told.err + told.out
    assert lines[0].startswith("anisora: ")
    for words in case.says:
        assert words.replace("{run}", run) in lines[0]
    assert contents(folder) == before


def test_a_decoder_that_is_not_installed_is_one_line_with_the_way_to_install_it(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(template)
    monkeypatch.setitem(sys.modules, "decord", None)
    before = contents(template)
    argv = f"{ON_SUITE} out --decoder decord --out {tmp_path / 'x'}".split()
    assert _run(argv, debug=False) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'decord'" in line
    assert "pip install" in line
    assert contents(template) == before
    assert not (tmp_path / "x").exists()


@pytest.mark.slow  # imports torch, where it is installed
def test_a_device_that_is_not_there_is_one_line_with_those_that_are(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(template)
    before = contents(template)
    argv = ["run", "small/suite.yaml", "--model", "damage/freeze", "--device", "cuda:99", "--out", str(tmp_path / "x")]
    assert _run(argv, debug=False) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "`cuda:99` is not available" in line
    assert "This machine has cpu" in line
    assert contents(template) == before
    assert not (tmp_path / "x").exists()


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))


def test_the_traceback_is_shown_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from anisora.harness.errors import UnknownNameError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match="demmo"):
        _run(["suite", "show", "demmo"], debug=True)
