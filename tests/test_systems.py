"""Names that one system has and another has not: nothing may need them. Windows is imitated by taking them away."""

import subprocess
import sys

from tests import ROOT

# What CPython for Windows lacks (before 3.13, too), by module; taken away after others' packages are imported, which
# know that they are not on Windows.
WITHOUT = """
import sys
import concurrent.futures.process, filelock, multiprocessing, numpy, pandas, platformdirs, streamlit, torch, typer
import plotly, scipy.stats, scipy.optimize, streamlit.testing.v1
import builtins, importlib, os, pathlib, pkgutil, signal

filelock.FileLock = filelock.SoftFileLock  # that of Windows does not run here, and that of POSIX needs its names
LACKING = {
    os: "O_NONBLOCK O_NOFOLLOW O_DIRECTORY O_CLOEXEC O_SYNC fchmod fchown chown lchown getuid geteuid getgid getegid "
    "getpgid getpgrp setsid setpgid setpriority getpriority PRIO_PROCESS nice fork forkpty killpg mkfifo uname "
    "sched_getaffinity sched_setaffinity sysconf statvfs wait wait3 wait4 WNOHANG getloadavg initgroups posix_spawn "
    "pread pwrite posix_fadvise sendfile",
    signal: "SIGKILL SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGCHLD SIGPIPE SIGSTOP SIGCONT alarm setitimer pause "
    "pthread_sigmask pthread_kill sigwait sigpending siginterrupt SIG_BLOCK SIG_UNBLOCK SIG_SETMASK",
}
for module, names in LACKING.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
for name in ("resource", "fcntl", "pwd", "grp", "termios", "tty", "pty", "syslog", "readline", "posix"):
    sys.modules[name] = None
open_, read_text = builtins.open, pathlib.Path.read_text


def there(path):
    if str(path).replace(os.sep, "/").startswith(("/proc/", "/dev/", "/sys/")):
        raise FileNotFoundError(2, "No such file or directory", str(path))


def nowhere(path, *arguments, **options):
    there(path)
    return open_(path, *arguments, **options)


def nothing(path, *arguments, **options):
    there(path)
    return read_text(path, *arguments, **options)


builtins.open, pathlib.Path.read_text = nowhere, nothing
"""

EVERYTHING = """
import kerckhoffs
names = [each.name for each in pkgutil.walk_packages(kerckhoffs.__path__, "kerckhoffs.")]
skipped = {"kerckhoffs.__main__", "kerckhoffs.ui.__main__"}  # programs
for name in sorted(set(names) - skipped):
    if ".entry." not in name:
        importlib.import_module(name)
print(len(names))
"""

A_LITTLE_OF_ALL = """
import tempfile
from pathlib import Path
from kerckhoffs import bench, cli, data, evaluation, keys, zoo
from kerckhoffs.bench import contestants
from kerckhoffs.evaluation import examples, experiments, machine, runs
folder = Path(tempfile.mkdtemp())
keyed, classical = "mnist-table1-keyed", "mnist-table1-classical"
path = keys.Key.generate(784).save(folder / "keys" / "k.json")
assert len(keys.Key.load(path)) == 784
assert keys.Key.generate(10).save(folder / "public.json", public=True).exists()
model = zoo.load(keyed)
rows = evaluation.evaluate("fgsm", classical, [classical, keyed], stop=2)
run = runs.create(experiments.grid([("fgsm", {})], [classical], [keyed], stop=2), command="", folder=folder / "run")
with run.writing():
    models = {name: zoo.load(name) for name in run.models}
    shown = examples.samples(run.experiments[0], "mnist")
    run.write(run.blocks[0], examples.examine(run.experiments[0], run.blocks[0], shown, models, run.cards))
assert not run.is_written()
assert len(runs.open_run(folder / "run").rows()) == 2
assert machine.machine()["cores"] >= 1
images, labels = bench.examples(model, *data.load("mnist", indices=range(4)), count=2, targets="none")
[mine] = contestants.chosen(None, ["fgsm"], ["none"])[0]
assert bench.table([bench.measure(mine, model, images, labels, targeted=False)])["success"].notna().all()
assert cli.main(["key", "new", f"--out={folder / 'another.json'}"]) == 0
assert cli.main(["bench", "--attacks=fgsm", "--peers=none", "--images=2"]) == 0
print("all done")
"""


def on_windows(program: str) -> str:
    """What a program prints where Windows' Python lacks what it lacks."""
    done = subprocess.run([sys.executable, "-c", WITHOUT + program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_module_is_imported_without_what_windows_lacks():
    assert int(on_windows(EVERYTHING)) > 100


def test_keys_models_runs_and_benches_work_without_what_windows_lacks():
    assert on_windows(A_LITTLE_OF_ALL).endswith("all done\n")
