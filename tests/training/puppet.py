"""A plausible resting body's joints, and a stand-in for anny that hangs points on them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from training.synth.clips.reach import NECK, SPINE, Stance

# Joints of a resting body on its left, in anny's axes (x left, y back, z up), metres.
LEFT = {
    "clavicle": (0.022, -0.016, 0.447),
    "shoulder01": (0.09, -0.01, 0.46),
    "upperarm01": (0.165, -0.013, 0.427),
    "upperarm02": (0.25, -0.016, 0.333),
    "lowerarm01": (0.334, -0.019, 0.239),
    "lowerarm02": (0.390, -0.095, 0.181),
    "wrist": (0.450, -0.174, 0.121),
    "eye": (0.030, -0.108, 0.649),
}
KNUCKLES = ((0.451, -0.218, 0.113), (0.477, -0.267, 0.081), (0.492, -0.25, 0.07), (0.5, -0.23, 0.06))
KNUCKLES = (*KNUCKLES, (0.502, -0.214, 0.054))
MIDDLE = {name: (0.0, 0.03, 0.07 * k) for k, name in enumerate(SPINE)} | {
    name: (0.0, -0.01 - 0.01 * k, 0.51 + 0.033 * k) for k, name in enumerate(NECK)
}
SIDES = ("Left", "Right")
ACTIONS = sorted(
    {"browInnerUp", "cheekPuff", "jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker"}
    | {"mouthRollLower", "mouthRollUpper", "mouthShrugLower", "tongueOut"}
    | {f"eyeLook{way}{s}" for way in ("In", "Out", "Up", "Down") for s in SIDES}
    | {f"eye{n}{s}" for n in ("Blink", "Squint", "Wide") for s in SIDES}
    | {f"{n}{s}" for n in ("browDown", "browOuterUp", "cheekSquint", "noseSneer") for s in SIDES}
    | {f"mouth{n}{s}" for n in ("Smile", "Stretch", "Dimple", "Press", "Frown") for s in SIDES}
    | {f"mouth{n}{s}" for n in ("LowerDown", "UpperUp") for s in SIDES}
)


def skeleton() -> Stance:
    """A plausible resting body, mirrored from its left side."""
    heads = {name: np.array(place) for name, place in MIDDLE.items()}
    left = {name: np.array(place) for name, place in LEFT.items()}
    for finger, knuckle in enumerate(KNUCKLES, 1):
        for joint in range(1, 4):
            left[f"finger{finger}-{joint}"] = np.array(knuckle) + (joint - 1) * np.array(
                [0.004, -0.025, -0.02]
            )
    for name, place in left.items():
        heads[name + ".L"], heads[name + ".R"] = place, place * [-1, 1, 1]
    marks = {"chin": (0, -0.138, 0.57), "bridge": (0, -0.151, 0.68), "jaw": (0.06, -0.083, 0.617)}
    marks["side"] = (0.064, -0.1, 0.735)
    return Stance(heads, {name: np.array(place) for name, place in marks.items()})


STANCE = skeleton()
BONES = list(STANCE.heads)


class Puppet:
    """A stand-in for anny: points that hang on bones, moved a little by facial actions."""

    bone_labels = BONES
    facial_action_labels = ACTIONS
    local_change_labels = ("nose-width", "l-ear-size", "r-ear-size")

    def __init__(self) -> None:
        import torch

        rng = np.random.default_rng(0)
        places = np.concatenate([np.stack(list(STANCE.heads.values())), rng.normal(0, 0.3, (200, 3))])
        self.template_vertices = torch.as_tensor(places, dtype=torch.float32)
        self.owner = torch.as_tensor(rng.integers(len(BONES), size=len(places)))
        self.sway = torch.as_tensor(rng.normal(0, 0.003, (len(ACTIONS), len(places), 3)), dtype=torch.float32)
        self.calls = 0

    def __call__(self, phenotype_kwargs, local_changes_kwargs, facial_actions, pose_parameters):
        import torch

        self.calls += 1
        turn = pose_parameters[:, self.owner, :3, :3]
        rest = self.template_vertices + torch.einsum("ta,avc->tvc", facial_actions, self.sway)
        poses = pose_parameters.clone()
        poses[:, :, :3, 3] = torch.as_tensor(np.stack(list(STANCE.heads.values())), dtype=torch.float32)
        out = SimpleNamespace(vertices=torch.einsum("tvij,tvj->tvi", turn, rest))
        still = torch.eye(4).expand_as(poses)
        return {"vertices": out.vertices, "bone_poses": poses, "rest_bone_poses": still}
