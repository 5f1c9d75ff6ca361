"""Types of the public API; `__init__.py` says which module holds each name."""

from cousins.affordances import measure_affordances as measure_affordances
from cousins.affordances import missing_affordances as missing_affordances
from cousins.capture.captures import Capture as Capture
from cousins.capture.ingest import read_capture as read_capture
from cousins.errors import CousinsError as CousinsError
from cousins.errors import InputError as InputError
from cousins.families.family import load_family as load_family
from cousins.fidelity.measurement import Fidelity as Fidelity
from cousins.fidelity.measurement import measure_fidelity as measure_fidelity
from cousins.findings import Finding as Finding
from cousins.fusion.pose_refinement import refine_poses as refine_poses
from cousins.pack.packs import Pack as Pack
from cousins.pack.transfer.pull import open_pack as open_pack
from cousins.reconstruct.assets import Asset as Asset
from cousins.reconstruct.objects import reconstruct_objects as reconstruct_objects
from cousins.scene.checks import check as check
from cousins.scene.layout.twin import assemble_twin as assemble_twin
from cousins.scene.scenes import Scene as Scene
from cousins.segment.backend_choice import segment_capture as segment_capture
from cousins.segment.segments import Segmentation as Segmentation
from cousins.vary.recipes import Recipe as Recipe
from flows.api import make_pack as make_pack
from flows.api import scan as scan
from flows.pipeline.scan_options import ScanOptions as ScanOptions
from flows.pipeline.scan_results import ScanResult as ScanResult
from sim.bodies.body import Body as Body
from sim.envs.make_env import make_env as make_env
from sim.tasks.task import Task as Task
from sim.train.adapters import adapt_env as adapt_env
from sim.train.adapters import register_rllib_envs as register_rllib_envs
from sim.train.config import TrainingConfig as TrainingConfig
from sim.train.evaluation import evaluate as evaluate
from sim.train.policy_loading import load_policy as load_policy
from sim.train.training import train as train
from sim.validation.settle import settle as settle

__version__: str
__all__: list[str]
