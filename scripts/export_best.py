"""Write the best network of a study to <run>/best/: as a torch.export program, as ONNX, with picture and model card."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.files import read_json, write_atomically, write_json
from nasmake.core.json_text import parse_json
from nasmake.core.provenance import PROVENANCE
from nasmake.core.records import SHARED, json_of, read_best, trial_folder
from nasmake.data.preprocessing import exported_preprocessing
from nasmake.jobs.cli import script
from nasmake.pipeline.plan import EXPORTS
from nasmake.report.model_card import Subject, model_card
from nasmake.report.predictions import read_predictions
from nasmake.search_spaces import Architecture
from nasmake.search_spaces.own_operations import operations_of


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--manifest", required=True, type=Path, help="the run's file with the facts about the data set")
    parser.add_argument("--architectures", required=True, type=Path, nargs="+", help="those of the promoted trials")
    parser.add_argument("--train-images", default=0, type=int, help="number of train and val images; 0: all")
    parser.add_argument("--onnx", action="store_true", help="write model.onnx too, which needs the extra `onnx`")
    parser.add_argument("--operations", default="null", help="what the plan knows of the file nas.operations, as JSON")
    arguments = parser.parse_args(argv)
    from nasmake.report.network_figure import draw_network
    from nasmake.report.style import svg
    from nasmake.stages.export_best import export_best

    study, folder = arguments.run / "study", arguments.run / "best"
    files, onnx = {name: folder / file for name, file in EXPORTS.items()}, folder / "model.onnx"
    best, manifest = read_best(study / "best.json"), read_json(arguments.manifest)
    trial, preprocessing = trial_folder(best.trial), exported_preprocessing(manifest)
    found = next(path for path in arguments.architectures if path.parent.name in (SHARED, trial))
    architecture = read_json(found)
    own = operations_of(parse_json(arguments.operations, "--operations"), may_run=True)
    spec = Architecture.from_json(architecture, str(found), len(preprocessing.classes), own).spec
    images = preprocessing.channels, preprocessing.image_size
    onnx.unlink(missing_ok=True)  # an earlier export may have had the packages for it
    export_best(spec, folder / "model.safetensors", *images, files["program"], onnx if arguments.onnx else None)
    write_json(files["architecture"], architecture)
    write_json(files["preprocessing"], json_of(preprocessing))
    title = f"{arguments.run.name}, trial {best.trial}\n{best.parameters:,} parameters, {best.macs:,} MACs"
    write_atomically(files["picture"], svg(draw_network, spec, *images, title))
    subject = Subject(
        run=arguments.run.name,
        folder=str(folder),
        is_searched="scores" in architecture,
        best=best,
        preprocessing=preprocessing,
        provenance=read_json(study / "best.json")[PROVENANCE],
        manifest=manifest,
        train_images=arguments.train_images or manifest["train"]["count"],
        predictions=read_predictions(arguments.run / trial / "test_predictions.csv"),
        has_onnx=arguments.onnx,
    )
    write_atomically(files["card"], model_card(subject).encode())


if __name__ == "__main__":
    script(main)
