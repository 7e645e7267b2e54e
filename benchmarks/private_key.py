"""What pictures of chosen uploads give of a private key: places of the permutation, and neighbours behind it.

    python -m benchmarks.private_key --uploads 200

Plays with a keyed classifier of one's own, in the app, with so many crafted uploads and every attacker whom the page
offers, and searches all that is sent (tests/leaks.py). Beside it the same search where the key is public; and what the
changes that FGSM makes with the key tell of neighbours, which is why the page shows none of those for a private key;
and what answers alone tell whoever has the weights, which no page can mend.
"""

import argparse
import dataclasses
import os
import tempfile

import torch

from kerckhoffs import attackers, zoo
from kerckhoffs.evaluation.judge import predict
from kerckhoffs.keys import Key
from kerckhoffs.ui import models
from tests.leaks import neighbours, places, traces
from tests.ui.test_private_key import SIDES, changes, crafted, put_in, shown, slots

NETWORKS = ("mnist-table1-keyed", "mnist-table2-keyed")


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uploads", type=int, default=200)
    count = parser.parse_args().uploads
    images = crafted(count)
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERCKHOFFS_HOME"] = home
        card = zoo.card(NETWORKS[0])
        [key] = zoo.find_keys(card)
        key.save(zoo.user_key_path(key.fingerprint))
        zoo.save(dataclasses.replace(card, key_files=()), zoo.load(card.id).network, zoo.own_folder())
        own = zoo.OWN + card.id
        for whose, name in (("private", own), ("public", card.id)):
            for dial in models.attackers(models.card(name)):
                ready = models.there(attackers.crafted_on(dial, models.card(name)))
                if dial in ("labels", "scores") or not ready:
                    continue  # these wait for a button; the pictures before it are those of the other attackers
                seen = [shown(each, right=name, dial=dial) for each in images]
                found = slots(seen)
                told, beside = places(put_in(images), found, key), neighbours(found, key, SIDES)
                print(
                    f"{whose} key, {dial}: {len(found)} pictures of each of {count} uploads give {told} of 784 places "
                    f"and {beside} neighbours; in other forms: {traces(b''.join(seen), key) or 'nothing'}",
                    flush=True,
                )
    for network in NETWORKS:
        key = Key.load(zoo.shipped_folder() / f"{network}.key.json", public=True)
        for number in (count, 10 * count):
            found = neighbours([changes(network, number)], key, SIDES)
            print(f"{network}, FGSM with the key on {number} images: neighbours of {found} of 784 places", flush=True)
        print(
            f"{network}, the answers to {count} uploads, and the weights: {answers(network, count)} places", flush=True
        )


def answers(network: str, count: int) -> int:
    """How many places the probabilities of so many uploads give to who has the weights.

    Each upload is grey but for one white pixel; the network alone is asked the same of each of its own places.
    """
    model = models.model(network)
    grey = torch.full((1, 1, *SIDES), 0.5)

    def one_white(place: torch.Tensor) -> torch.Tensor:
        return grey.expand(len(place), -1, -1, -1).flatten(1).scatter(1, place[:, None], 1.0).view(-1, 1, *SIDES)

    asked = torch.randperm(784, generator=torch.Generator().manual_seed(0))[:count]
    given = predict(model, one_white(asked))
    own = torch.softmax(model.network(one_white(torch.arange(784))), 1)
    guess = torch.cdist(given.double().log(), own.double().log()).argmin(1)
    found = model.view(one_white(asked)).flatten(1).argmax(1)
    return int((guess == found).sum())


if __name__ == "__main__":
    main()
