"""An experiment as a Python program that runs as printed and makes the same example."""

from kerckhoffs.attackers import is_made
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.ui.parts import pixels
from kerckhoffs.ui.play.experiment import TRAINING_SAMPLES, Experiment

TEMPLATE = '''\
"""{title}"""
{imports}
from kerckhoffs import {modules}
from kerckhoffs.attacks import ATTACKS
from kerckhoffs.data import DATASETS
from kerckhoffs.evaluation import percent, predict

{image}
label, target = {label}, {target}
{made}crafted_on = {load}("{crafted_on}")
adversarial = ATTACKS["{attack}"].run(
    crafted_on,
    image,
    torch.tensor([label if target is None else target]),
    targeted=target is not None,
{arguments})

for name in {names}:
    confidences, classes = predict({load}(name), torch.cat([image, adversarial])).max(1)
    before, after = (f"{{each}} ({{percent(share)}})" for each, share in zip(classes.tolist(), confidences.tolist()))
    print(f"crafted on {whom}, evaluated on {{name}}: {{label}} is read as {{before}}, then as {{after}}")
'''


def script(experiment: Experiment) -> str:
    """The program. It names models, never keys; what an attacker has made has to be made where it runs, too."""
    made, attack = is_made(experiment.crafted_on), ATTACKS[experiment.attack]
    arguments = [f"{name}={value!r}" for name, value in experiment.options]
    if attack.random:
        arguments.append(f"generator=torch.Generator().manual_seed({experiment.seed})")
    if attack.training:
        others = f"[i for i in range({TRAINING_SAMPLES + 1}) if i != {_sample(experiment)}][:{TRAINING_SAMPLES}]"
        arguments.append(f'training=data.load("{experiment.dataset}", indices={others})')
    whom = "nothing" if experiment.crafted_words == "nothing" else experiment.crafted_on
    return TEMPLATE.format(
        title=f"{attack.name}, crafted on {whom}, evaluated on {len(experiment.columns)} classifiers.",
        imports="import torch\n" if experiment.source == "sample" else "import base64\nimport zlib\n\nimport torch\n",
        image=_image(experiment),
        label=experiment.label,
        modules="attackers, data" if made else "data, zoo",
        load="attackers.load" if made else "zoo.load",
        made=f"# Made before, with: python -m kerckhoffs attackers make {experiment.crafted_on}\n" if made else "",
        target=experiment.target,
        crafted_on=experiment.crafted_on,
        whom=whom,
        attack=attack.id,
        arguments="".join(f"    {argument},\n" for argument in arguments),
        names=experiment.columns,
    )


def _sample(experiment: Experiment) -> int:
    """The number of the sample, or one that is none."""
    return int(experiment.value) if experiment.source == "sample" else -1


def _image(experiment: Experiment) -> str:
    """The lines that make the image; a drawing's pixels are written out, rounded to 8 bits as on the page."""
    if experiment.source == "sample":
        return f'image, _ = data.load("{experiment.dataset}", indices=[{experiment.value}])'
    text, shape = pixels.encode(experiment.image), DATASETS[experiment.dataset].shape
    text += "=" * (-len(text) % 4)
    lines = "\n".join(f'    "{text[at : at + 100]}"' for at in range(0, len(text), 100))
    return (
        f"PIXELS = (  # {pixels.size(shape)}, 8 bits, compressed\n{lines}\n)\n"
        "levels = torch.tensor(list(zlib.decompress(base64.urlsafe_b64decode(PIXELS))), dtype=torch.float32)\n"
        f"image = levels.view{(1, *shape)} / 255"
    )
