"""Train a network with the PyTorch modules on the bundled digits, on a GPU where there is one.

python examples/pytorch_training.py
bs4nn-tc evaluate digits-pytorch.bs4nn
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from bs4nn_tc.data import datasets
from bs4nn_tc.model import network_file
from bs4nn_tc.training.torch_modules import BinaryIFNetwork, Learning


def main() -> None:
    """Train, say how it goes, write the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()

    torch.manual_seed(0)
    digits = datasets.load("digits", None)
    (images, labels), (validation_images, validation_labels) = digits.training(), digits.validation()
    inputs = torch.tensor(images, device=given.device)
    classes = torch.tensor(labels, dtype=torch.long, device=given.device)
    network = BinaryIFNetwork((64, 128, 10), (12, 6), input=digits.input, learning=Learning(window=10.0, start=0.3))
    network.to(given.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    batches = len(images) // 50
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.epochs * batches)
    for epoch in range(given.epochs):
        for chosen in torch.randperm(len(images), device=given.device)[: batches * 50].split(50):
            loss = torch.nn.functional.cross_entropy(0.5 * network(inputs[chosen]).potentials, classes[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            network.clip()
        with torch.no_grad():
            answer = network(torch.tensor(validation_images, device=given.device)).answer.cpu().numpy()
        print(f"epoch {epoch + 1}: {(answer == validation_labels).mean():.2%} of the validation images are right")

    facts = {"dataset": "digits", "image_shape": list(digits.image_shape), "class_names": list(digits.class_names)}
    network_file.save(network.to_network(validation_images, facts), Path("digits-pytorch.bs4nn"))
    print("written: digits-pytorch.bs4nn")


if __name__ == "__main__":
    main()
