"""BERT in Keras 3 and TensorFlow: extract features, pretrain, fine-tune, serve.

Shapes, everywhere: ``B`` texts, ``T`` tokens a text, ``H`` hidden size, ``N`` heads,
``D`` = H / N, ``F`` feed-forward size, ``V`` vocabulary, ``L`` layers, ``M`` masked
tokens a text, ``C`` classes. Lengths count tokens, [CLS] and [SEP] included.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Where each public name lives. Nothing heavy is imported before a name is used.
_HOME = {
    "AdamW": "optimizers",
    "Bert": "model",
    "BertConfig": "config",
    "CheckpointError": "errors",
    "Classification": "tasks.classification",
    "ConfigError": "errors",
    "DependencyError": "errors",
    "DivergedError": "errors",
    "FeatureExtractor": "features.estimator",
    "FeatureSettings": "features.settings",
    "FeatureStore": "store",
    "FineTuned": "finetuning",
    "FineTuningSettings": "finetuning",
    "InputError": "errors",
    "KbertError": "errors",
    "KbertWarning": "errors",
    "LearningRate": "optimizers",
    "MaskingSettings": "masking",
    "MultipleChoice": "tasks.choice",
    "OutputError": "errors",
    "PretrainingData": "pretraining_data",
    "PretrainingDataSettings": "pretraining_data",
    "PretrainingSettings": "pretraining",
    "QuestionAnswering": "tasks.squad",
    "Regression": "tasks.regression",
    "StaticMasks": "pretraining_data",
    "Stopped": "errors",
    "Tagging": "tasks.tagging",
    "Tokenizer": "tokenizer",
    "TrainingError": "errors",
    "Vocabulary": "vocabulary",
    "build_encoder": "encoder",
    "build_pretraining_model": "objective",
    "build_task_model": "task_model",
    "build_vocabulary": "vocabulary_training",
    "convert": "checkpoints",
    "create_pretraining_data": "pretraining_data",
    "evaluate": "finetuning",
    "evaluation_dataset": "pretraining",
    "extend_vocabulary": "checkpoints",
    "fill_mask": "mask_filling",
    "finetune": "finetuning",
    "load": "checkpoints",
    "new_bert": "model",
    "predict": "finetuning",
    "pretrain": "pretraining",
    "row_outputs": "tasks",
    "save": "checkpoints",
    "steps_per_epoch": "tasks",
    "training_batches": "tasks",
    "training_dataset": "pretraining",
    "with_heads": "model",
}
__all__ = sorted(_HOME)

if TYPE_CHECKING:
    from .checkpoints import convert as convert
    from .checkpoints import extend_vocabulary as extend_vocabulary
    from .checkpoints import load as load
    from .checkpoints import save as save
    from .config import BertConfig as BertConfig
    from .encoder import build_encoder as build_encoder
    from .errors import CheckpointError as CheckpointError
    from .errors import ConfigError as ConfigError
    from .errors import DependencyError as DependencyError
    from .errors import DivergedError as DivergedError
    from .errors import InputError as InputError
    from .errors import KbertError as KbertError
    from .errors import KbertWarning as KbertWarning
    from .errors import OutputError as OutputError
    from .errors import Stopped as Stopped
    from .errors import TrainingError as TrainingError
    from .features.estimator import FeatureExtractor as FeatureExtractor
    from .features.settings import FeatureSettings as FeatureSettings
    from .finetuning import FineTuned as FineTuned
    from .finetuning import FineTuningSettings as FineTuningSettings
    from .finetuning import evaluate as evaluate
    from .finetuning import finetune as finetune
    from .finetuning import predict as predict
    from .mask_filling import fill_mask as fill_mask
    from .masking import MaskingSettings as MaskingSettings
    from .model import Bert as Bert
    from .model import new_bert as new_bert
    from .model import with_heads as with_heads
    from .objective import build_pretraining_model as build_pretraining_model
    from .optimizers import AdamW as AdamW
    from .optimizers import LearningRate as LearningRate
    from .pretraining import PretrainingSettings as PretrainingSettings
    from .pretraining import evaluation_dataset as evaluation_dataset
    from .pretraining import pretrain as pretrain
    from .pretraining import training_dataset as training_dataset
    from .pretraining_data import PretrainingData as PretrainingData
    from .pretraining_data import PretrainingDataSettings as PretrainingDataSettings
    from .pretraining_data import StaticMasks as StaticMasks
    from .pretraining_data import create_pretraining_data as create_pretraining_data
    from .store import FeatureStore as FeatureStore
    from .task_model import build_task_model as build_task_model
    from .tasks import row_outputs as row_outputs
    from .tasks import steps_per_epoch as steps_per_epoch
    from .tasks import training_batches as training_batches
    from .tasks.choice import MultipleChoice as MultipleChoice
    from .tasks.classification import Classification as Classification
    from .tasks.regression import Regression as Regression
    from .tasks.squad import QuestionAnswering as QuestionAnswering
    from .tasks.tagging import Tagging as Tagging
    from .tokenizer import Tokenizer as Tokenizer
    from .vocabulary import Vocabulary as Vocabulary
    from .vocabulary_training import build_vocabulary as build_vocabulary


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
