"""Exact resume: `engine.epoch_log`, `checkpoint`, `trainer`, `stage_module` and `lightning` with a tiny module."""

import importlib.util
import os
import signal

import pytest
import torch
from nasmake.config.trainer import Trainer as TrainerSettings
from nasmake.core.errors import InputError
from nasmake.core.process import SECONDS_BETWEEN_SAVES
from nasmake.engine.checkpoint import TwoGenerations, final_weights, read_checkpoint
from nasmake.engine.device import seed_torch, start
from nasmake.engine.epoch_log import TrainingState, format_row
from nasmake.engine.lightning import tensorboard
from nasmake.engine.resume import ResumeFolder
from nasmake.engine.stage_module import DivergedError, StageModule
from nasmake.engine.trainer import fit

from lightning.pytorch.loggers.logger import DummyLogger  # isort: skip  # nasmake imports lightning first

EPOCHS, STEPS, VAL_STEPS = 4, 3, 2


class Steps:
    """The clock of an epoch, as BatchSource is one."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        return iter(range(self.count))

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Tiny(StageModule):
    """Linear regression with momentum and dropout on stateless random data; `at` happens at a (part, epoch, step)."""

    def __init__(self, at=None, happens=None, manual=False):
        super().__init__()
        self.automatic_optimization = not manual
        seed_torch(torch.device("cpu"), "weights")
        self.layer = torch.nn.Linear(3, 1)
        self.at, self.happens, self.seen = at, happens, []

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)

    def loss(self, *key):
        seed_torch(self.device, *key)
        x = torch.rand(8, 3)
        return ((self.layer(torch.nn.functional.dropout(x, 0.2)) - x.sum(1, keepdim=True)) ** 2).mean()

    def step(self, *key):
        self.seen.append(key)
        factor = 1.0
        if key == self.at:
            factor = self.happens() or 1.0
        loss = self.loss(*key) * factor
        return loss, {"loss": loss.detach() * 8, "count": torch.tensor(8.0)}

    def training_step(self, step, batch_idx):
        loss, metrics = self.step("train", self.current_epoch, batch_idx)
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            return {"metrics": metrics}
        return {"loss": loss, "metrics": metrics}

    def validation_step(self, step, batch_idx):
        return self.step("val", self.current_epoch, batch_idx)[1]

    def epoch_summary(self):
        return {"lr": 0.05}


def train(folder, module=None, epochs=EPOCHS, **more):
    module = module or Tiny()
    folder.mkdir(exist_ok=True)
    resume_folder = ResumeFolder(folder)
    options = {
        "runtime": start("cpu", 1),
        "folder": resume_folder,
        "settings": TrainerSettings(),
        "display": {"lines"},
        "val_source": Steps(VAL_STEPS),
    }
    rows = fit(module, Steps(STEPS), epochs, **options, **more)
    weights = final_weights(resume_folder.checkpoint)
    return rows, {name: value.tolist() for name, value in weights.items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return train(tmp_path_factory.mktemp("reference"))


def test_reference_learns_and_has_a_row_per_epoch(reference):
    rows, _ = reference
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert list(rows[0]) == ["epoch", "train_loss", "val_loss", "lr"]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_epoch_means_are_those_of_the_batches(tmp_path):
    module = Tiny()
    module.configure_optimizers = lambda: torch.optim.SGD(module.parameters(), lr=0.0)
    rows, _ = train(tmp_path, module, epochs=1)
    expected = [sum(Tiny().loss(part, 0, step).item() for step in range(count)) / count for part, count in PARTS]
    assert [rows[0]["train_loss"], rows[0]["val_loss"]] == pytest.approx(expected, rel=1e-6)


PARTS = (("train", STEPS), ("val", VAL_STEPS))
PLACES = [
    ("train", 0, 0),
    ("train", 1, 1),
    ("train", 2, STEPS - 1),
    ("val", 1, 0),
    ("val", 3, VAL_STEPS - 1),
    ("train", 3, 2),
]


def interrupted(folder, at, number=signal.SIGTERM, **options):
    with pytest.raises(SystemExit) as ended:
        train(folder, Tiny(at, lambda: os.kill(os.getpid(), number), **options))
    return ended.value.code


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_terminated_anywhere_and_resumed_is_the_same(tmp_path, reference, at):
    assert interrupted(tmp_path, at) == 128 + signal.SIGTERM
    resumed = Tiny()
    assert train(tmp_path, resumed) == reference
    part, epoch, step = at
    last_of_epoch = part == "val" or step == STEPS - 1
    following = ("train", epoch + 1, 0) if last_of_epoch else ("train", epoch, step + 1)
    assert resumed.seen[:1] == ([following] if following[1] < EPOCHS else [])  # nothing is done twice or left out


def test_other_signal_and_manual_optimization(tmp_path, reference):
    assert interrupted(tmp_path, ("train", 1, 0), signal.SIGUSR1, manual=True) == 128 + signal.SIGUSR1
    assert train(tmp_path, Tiny(manual=True)) == reference


def test_terminated_again_and_again(tmp_path, reference):
    for at in (("train", 0, 0), ("train", 0, 1), ("val", 0, 0), ("train", 3, 1)):
        interrupted(tmp_path, at)
    assert train(tmp_path) == reference


def test_crash_goes_back_to_the_last_save(tmp_path, reference):
    def crash():
        raise OSError("a disk went away")

    with pytest.raises(OSError, match="a disk went away"):
        train(tmp_path, Tiny(("train", 2, 1), crash))
    resumed = Tiny()
    assert train(tmp_path, resumed) == reference
    assert resumed.seen[0] == ("train", 2, 0)


def test_a_crash_repeats_the_epochs_since_the_last_save_and_a_signal_saves_at_once(tmp_path, reference, monkeypatch):
    monkeypatch.setenv(SECONDS_BETWEEN_SAVES, "1000")
    assert interrupted(tmp_path, ("val", 1, 0)) == 128 + signal.SIGTERM

    def crash():
        raise OSError

    crashing, resumed = Tiny(("train", 3, 1), crash), Tiny()
    with pytest.raises(OSError):
        train(tmp_path, crashing)
    assert train(tmp_path, resumed) == reference
    assert crashing.seen[0] == resumed.seen[0] == ("train", 2, 0)


def test_finished_training_is_not_done_again(tmp_path, reference):
    train(tmp_path)
    again = Tiny()
    assert train(tmp_path, again) == reference
    assert again.seen == []


def test_resumed_log_tells_the_whole_story(tmp_path, capsys):
    interrupted(tmp_path, ("train", 2, 0))
    assert capsys.readouterr().out.endswith("stopped by SIGTERM; the training state is saved\n")
    train(tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line.split()[1] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]


def test_saves_within_a_long_epoch_do_not_disturb(tmp_path, reference, monkeypatch):
    """With an interval of zero every step is saved; a crash then costs one step."""
    monkeypatch.setattr("nasmake.engine.epoch_log.SAVE_INTERVAL", 0.0)
    monkeypatch.setattr(TrainingState.__init__, "__defaults__", (0.0,))
    assert train(tmp_path / "a") == reference

    def crash():
        raise OSError

    with pytest.raises(OSError):
        train(tmp_path / "b", Tiny(("train", 1, 2), crash))
    resumed = Tiny()
    assert train(tmp_path / "b", resumed) == reference
    assert resumed.seen[0] == ("train", 1, 2)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("at", [("train", 2, 1), ("val", 2, 0)], ids=str)
def test_loss_that_is_not_finite_diverges_with_the_rows_before(tmp_path, reference, at, number):
    with pytest.raises(DivergedError, match="not finite in epoch 3: ") as diverged:
        train(tmp_path, Tiny(at, lambda: number))
    assert diverged.value.rows == reference[0][:2]
    assert "\n" not in str(diverged.value)


def test_divergence_is_found_again_after_a_restart(tmp_path):
    for _ in range(2):
        with pytest.raises(DivergedError, match="epoch 3"):
            train(tmp_path, Tiny(("train", 2, 1), lambda: float("nan")))


def test_own_handlers_are_given_back(tmp_path):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    train(tmp_path)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


# Two generations of checkpoints.


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_weight(path):
    content = bytearray(path.read_bytes())
    weight = next(iter(read_checkpoint(path)["state_dict"].values())).numpy().tobytes()
    content[content.index(weight)] ^= 1
    path.write_bytes(content)


def flip_a_name(path):
    content = bytearray(path.read_bytes())
    content[content.rindex(b"data.pkl")] ^= 0x80  # in the table of contents: no more UTF-8
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def fill_with_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))  # what some file systems leave after a power cut


def delete(path):
    path.unlink()


DAMAGES = [truncate, halve, flip_a_weight, flip_a_name, empty, fill_with_zeros, delete]
every_damage = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


@every_damage
def test_damaged_newest_checkpoint_costs_one_generation(tmp_path, reference, damage):
    interrupted(tmp_path, ("train", 2, 1))
    damage(tmp_path / "training.ckpt")
    resumed = Tiny()
    assert train(tmp_path, resumed) == reference
    assert resumed.seen[0] == ("train", 2, 0)


@every_damage
def test_two_damaged_checkpoints_cost_the_training(tmp_path, reference, damage):
    interrupted(tmp_path, ("train", 2, 1))
    for name in ("training.ckpt", "training.previous"):
        damage(tmp_path / name)
    resumed = Tiny()
    assert train(tmp_path, resumed) == reference
    assert resumed.seen[0] == ("train", 0, 0)


@every_damage
def test_damaged_checkpoint_never_displaces_an_intact_one(tmp_path, damage):
    path = tmp_path / "training.ckpt"
    io_plugin = TwoGenerations()
    for number in (1, 2):
        io_plugin.save_checkpoint({"number": number, "state_dict": {"w": torch.full((50,), float(number))}}, path)
    damage(path)
    assert TwoGenerations.newest(path) == tmp_path / "training.previous"
    io_plugin.save_checkpoint({"number": 3, "state_dict": {"w": torch.ones(50)}}, path)
    damage(path)
    newest = TwoGenerations.newest(path)
    assert read_checkpoint(newest)["number"] == 1


def test_kill_between_the_two_renames_leaves_the_generation_before(tmp_path, reference):
    interrupted(tmp_path, ("train", 2, 1))
    (tmp_path / "training.ckpt").rename(tmp_path / "training.previous")  # the new one has only a temporary name yet
    assert train(tmp_path) == reference


def test_without_checkpoints_there_is_none(tmp_path):
    assert TwoGenerations.newest(tmp_path / "training.ckpt") is None


def test_wherever_a_bit_is_flipped_the_file_is_refused(tmp_path):
    path = tmp_path / "training.ckpt"
    TwoGenerations().save_checkpoint({"state_dict": {"w": torch.arange(6.0)}, "rows": [{"epoch": 1}]}, path)
    content = path.read_bytes()
    for index in range(len(content)):
        path.write_bytes(content[:index] + bytes([content[index] ^ (1 << index % 8)]) + content[index + 1 :])
        assert TwoGenerations.newest(path) is None, index
    path.write_bytes(content)
    assert TwoGenerations.newest(path) == path


def test_training_states_hold_only_what_is_loaded_without_unpickling(tmp_path):
    train(tmp_path)
    for name in ("training.ckpt", "training.previous"):
        assert "state_dict" in read_checkpoint(tmp_path / name)  # with weights_only


def test_line_of_the_log_has_fixed_columns():
    rows = [{"epoch": 1, "train_loss": 2.3, "evaluated": 3}, {"epoch": 1000, "train_loss": 12.3456, "evaluated": 12345}]
    lines = [format_row(row, 1.0, 1000) for row in rows]
    assert (
        len(lines[0]) == len(lines[1])
        and lines[0] == "epoch    1/1000  train_loss    2.3000  evaluated         3     1.0 s"
    )


class Recorder(DummyLogger):
    """A logger that keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def log_metrics(self, metrics, step):
        self.rows.append((step, dict(metrics)))


def test_rows_go_to_a_logger_too(tmp_path, reference):
    recorder = Recorder()
    rows, weights = train(tmp_path / "logged", logger=recorder)
    assert recorder.rows == [(row["epoch"], row) for row in rows]
    assert (rows, weights) == reference


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_logger_that_is_not_installed_is_one_line(tmp_path):
    with pytest.raises(
        InputError, match=r"^trainer\.logger is true; .* TensorBoard is not installed; type: pip install"
    ):
        tensorboard(tmp_path, "retrain")
