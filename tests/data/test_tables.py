"""Labels as spreadsheets, scripts and people write them."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerckhoffs.checks import FileRefused
from kerckhoffs.data import DATASETS, tables

PATHS = {"set/a.png", "set/b.png", "other/c, d.png"}
RIGHT = {"set/a.png": {"7"}, "set/b.png": {"2"}, "other/c, d.png": {"0"}}
CLASSES = DATASETS["mnist"].classes


def read(text: str | bytes, folder: str = "") -> tables.Table:
    content = text.encode() if isinstance(text, str) else text
    return tables.read(content, PurePosixPath(folder), PATHS, CLASSES)


ROWS = [("set/a.png", "7"), ("set/b.png", "2"), ("other/c, d.png", "0")]
PLAIN = "".join(f'"{name}",{label}\n' for name, label in ROWS)
WRITTEN = {
    "plain": PLAIN,
    "a header": "file,label\n" + PLAIN,
    "a header of other words": "whatever,something\n" + PLAIN,
    "capitals": "File Name,LABEL\n" + PLAIN,
    "a mark of its order": "\ufeff" + PLAIN,
    "a mark and a header": "\ufefffile,label\n" + PLAIN,
    "ends of lines of Windows": PLAIN.replace("\n", "\r\n"),
    "ends of lines of old Macs": PLAIN.replace("\n", "\r"),
    "no end of the last line": PLAIN.rstrip(),
    "a last line of blanks": PLAIN + "   \n",
    "last lines of delimiters": PLAIN + ",\n , \n,,\n",
    "blank lines between": PLAIN.replace("\n", "\n\n"),
    "blanks around": "".join(f" {name} ;\t{label} \n" for name, label in ROWS),
    "all in quotes": "".join(f'"{name}","{label}"\n' for name, label in ROWS),
    "semicolons": "file;label\n" + "".join(f"{name};{label}\n" for name, label in ROWS),
    "semicolons without a header": "".join(f"{name};{label}\n" for name, label in ROWS),
    "tabs": "".join(f"{name}\t{label}\n" for name, label in ROWS),
    "Excel's note": "sep=;\r\n" + "".join(f"{name};{label}\r\n" for name, label in ROWS),
    "an index": ",file,label\n" + "".join(f'{i},"{name}",{label}\n' for i, (name, label) in enumerate(ROWS)),
    "an index without a header": "".join(f'{i},"{name}",{label}\n' for i, (name, label) in enumerate(ROWS)),
    "a note behind": "".join(f'"{name}",{label},well made\n' for name, label in ROWS),
    "a note between": "".join(f'"{name}",well made,{label}\n' for name, label in ROWS),
    "labels first": "".join(f'{label},"{name}"\n' for name, label in ROWS),
    "a label before an index by its title": "label,id,file\n"
    + "".join(f'{label},{i},"{name}"\n' for i, (name, label) in enumerate(ROWS)),
    "backslashes": "".join('"{}",{}\n'.format(name.replace("/", "\\"), label) for name, label in ROWS),
    "names without folders": "".join(f'"{name.rpartition("/")[2]}",{label}\n' for name, label in ROWS),
    "UTF-16": b"\xff\xfe" + PLAIN.replace('",', '"\t').encode("utf-16-le"),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_every_way_to_write_it_gives_the_same_labels(written):
    found = read(WRITTEN[written])
    assert found.labels == RIGHT
    assert found.unused == ()


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("7.0", 7),
        ("7.00", 7),
        ("7,0", 7),
        ("07", 7),
        ("7", 7),
        ("7.5", None),
        ("10.0", None),
        ("-7.0", None),
        ("", None),
    ],
)
def test_a_label_may_be_a_number_with_nothing_behind_its_point(cell, number):
    assert tables.cell_class(cell, CLASSES) == number


def test_a_name_alone_is_a_file_only_where_one_has_it():
    paths = {"x/a.png", "y/a.png", "y/b.png"}
    found = tables.read(b"a.png,1\nb.png,2\nz/b.png,3\ny/a.png,4\n", PurePosixPath(), paths, CLASSES)
    assert found.labels == {"y/b.png": {"2"}, "y/a.png": {"4"}}
    assert found.unused == ("a.png", "z/b.png")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", tables.FORM),
        ("\n , \n", tables.FORM),
        ("set/a.png\n", tables.FORM),
        ("set/a.png,7\nset/b.png\n", tables.FORM),
        ('"set/a.png,7', tables.DAMAGED),
        (b"\xffa,7", tables.DAMAGED),
        ("set/a.png,set/b.png\n", "the CSV file has several columns that name files; title one of them 'file'"),
        (
            "file,class,label\nset/a.png,7,7\n",
            "the CSV file has several columns of labels; title only one of them 'label'",
        ),
        ("0,7,set/a.png\n", "the CSV file has several columns before the files' names; title one of them 'label'"),
    ],
)
def test_what_is_not_clear_is_refused_in_one_sentence(text, reason):
    with pytest.raises(FileRefused) as caught:
        read(text)
    assert str(caught.value) == reason


@given(st.one_of(st.binary(max_size=300), st.text("a.png7,;\t\"'\n\r\\/\0 é", max_size=300).map(str.encode)))
def test_anything_is_a_table_or_a_sentence(content):
    sentence = "read"
    try:
        assert set(read(content).labels) <= PATHS
    except FileRefused as error:
        sentence = str(error)
    assert sentence.isprintable()
