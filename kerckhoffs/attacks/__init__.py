"""Adversarial attacks, one file each. To add one, write its file and list its entry here.

Menus, the command line and the contract tests walk the registry. attacks/base.py says what an attack is.
"""

from kerckhoffs.attacks.apgd import APGD, apgd
from kerckhoffs.attacks.autoattack import AUTOATTACK, autoattack
from kerckhoffs.attacks.base import Attack, OnStep, Option, Step
from kerckhoffs.attacks.bim import BIM, bim
from kerckhoffs.attacks.cw_l0 import CW_L0, cw_l0
from kerckhoffs.attacks.cw_l2 import CW_L2, cw_l2
from kerckhoffs.attacks.cw_linf import CW_LINF, cw_linf
from kerckhoffs.attacks.ddn import DDN, ddn
from kerckhoffs.attacks.deepfool import DEEPFOOL, deepfool
from kerckhoffs.attacks.fab import FAB, fab
from kerckhoffs.attacks.fgsm import FGSM, fgsm
from kerckhoffs.attacks.finite_differences import FINITE_DIFFERENCES, finite_differences
from kerckhoffs.attacks.fmn import FMN_L0, FMN_L2, FMN_LINF, fmn_l0, fmn_l2, fmn_linf
from kerckhoffs.attacks.hop_skip_jump import HOP_SKIP_JUMP, HOP_SKIP_JUMP_LINF, hop_skip_jump, hop_skip_jump_linf
from kerckhoffs.attacks.illc import ILLC, illc
from kerckhoffs.attacks.jsma import JSMA, jsma
from kerckhoffs.attacks.lbfgs import LBFGS, lbfgs
from kerckhoffs.attacks.low_frequency import LOW_FREQUENCY, low_frequency
from kerckhoffs.attacks.mi_fgsm import MI_FGSM, mi_fgsm
from kerckhoffs.attacks.noise import NOISE, noise
from kerckhoffs.attacks.one_pixel import ONE_PIXEL, one_pixel
from kerckhoffs.attacks.otcm import OTCM, otcm
from kerckhoffs.attacks.pgd import PGD, pgd
from kerckhoffs.attacks.rand_fgsm import RAND_FGSM, rand_fgsm
from kerckhoffs.attacks.rays import RAYS, rays
from kerckhoffs.attacks.square import SQUARE, square
from kerckhoffs.attacks.surfree import SURFREE, surfree
from kerckhoffs.attacks.universal import UNIVERSAL, universal
from kerckhoffs.attacks.vmi_fgsm import VMI_FGSM, vmi_fgsm
from kerckhoffs.attacks.zoo_attack import ZOO, zoo

__all__ = [
    "ATTACKS",
    "Attack",
    "OnStep",
    "Option",
    "Step",
    "apgd",
    "autoattack",
    "bim",
    "cw_l0",
    "cw_l2",
    "cw_linf",
    "ddn",
    "deepfool",
    "fab",
    "fgsm",
    "finite_differences",
    "fmn_l0",
    "fmn_l2",
    "fmn_linf",
    "hop_skip_jump",
    "hop_skip_jump_linf",
    "illc",
    "jsma",
    "lbfgs",
    "low_frequency",
    "mi_fgsm",
    "noise",
    "one_pixel",
    "otcm",
    "pgd",
    "rand_fgsm",
    "rays",
    "square",
    "surfree",
    "universal",
    "vmi_fgsm",
    "zoo",
]

# In the order of the menus: by what an attack reads, then by its kind and norm.
ATTACKS: dict[str, Attack] = {
    attack.id: attack
    for attack in (
        FGSM,
        RAND_FGSM,
        OTCM,
        BIM,
        ILLC,
        MI_FGSM,
        VMI_FGSM,
        PGD,
        APGD,
        AUTOATTACK,
        LOW_FREQUENCY,
        JSMA,
        LBFGS,
        CW_L2,
        CW_LINF,
        CW_L0,
        DDN,
        DEEPFOOL,
        FMN_L2,
        FMN_LINF,
        FMN_L0,
        FAB,
        UNIVERSAL,
        SQUARE,
        FINITE_DIFFERENCES,
        ONE_PIXEL,
        ZOO,
        RAYS,
        HOP_SKIP_JUMP_LINF,
        SURFREE,
        HOP_SKIP_JUMP,
        NOISE,
    )
}
