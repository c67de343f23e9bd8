"""The start of Snakemake in a checkout: which package it runs, and folders with unusual names."""

import re

import pytest
from conftest import ENVIRONMENT, ROOT, make_checkout
from studies import write_config


def test_package_of_another_checkout_is_an_error(checkout, monkeypatch):
    """The environment's editable installation points to the folder where the checkout was before it was moved."""
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", str(ROOT / "workflow"))
    code, output = checkout.run("-n", "--configfile", write_config(checkout.folder), check=False)
    found, expected = ROOT / "workflow/nasmake", checkout.folder / "workflow/nasmake"
    assert code == 1 and "Traceback" not in output
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: the package nasmake is {found}; expected {expected}; type: make setup"]


def test_checkout_is_found_through_a_link(checkout):
    """/home may be a link to a folder of a file server."""
    link = checkout.folder.with_name("link")
    link.symlink_to(checkout.folder)
    checkout.folder = link
    checkout.run("-n", "--configfile", write_config(checkout.folder))


@pytest.mark.parametrize("name", ["a study, with spaces", "Prüfstand 日本", "it's (a) $HOME; & #1"])
def test_checkout_in_a_folder_with_an_unusual_name(tmp_path, name):
    checkout = make_checkout(tmp_path / name)
    study = write_config(checkout.folder)
    output = checkout.run("--cores", "1", "--configfile", study, "--until", "download_dataset")
    assert len([*checkout.folder.rglob("manifest.json")]) == 1
    lines = [line[10:] for line in output.splitlines()]
    assert "started   download_dataset" in lines
    assert not re.search("Select jobs|Execute 1 jobs|localrule|Building DAG|RuleException", output)
