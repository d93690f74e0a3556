"""Owns the encoders and ``ECGTextModel``: signal and text in, tokens and embeddings out; save and load."""

from .config import LocalReadout, ModelConfig
from .ecg_text_model import SIGNAL_ENCODERS, TEXT_ENCODERS, ECGTextModel, join_statements, readable_texts
from .encoded import Encoded, LocalEncoded, SignalViews
from .folder import model_hash
from .inference import RecordingEmbeddings, WindowBatch, embed_recordings, embed_windows, window_batches
from .lanes import in_lanes, lanes_of
from .layers import keyed_uniform
from .sources import PreparedSource, Recordings, RecordSource, StorePart, as_source, take_split

__all__ = [
    "SIGNAL_ENCODERS",
    "TEXT_ENCODERS",
    "ECGTextModel",
    "Encoded",
    "LocalEncoded",
    "LocalReadout",
    "ModelConfig",
    "PreparedSource",
    "RecordSource",
    "RecordingEmbeddings",
    "Recordings",
    "SignalViews",
    "StorePart",
    "WindowBatch",
    "as_source",
    "embed_recordings",
    "embed_windows",
    "in_lanes",
    "join_statements",
    "keyed_uniform",
    "lanes_of",
    "model_hash",
    "readable_texts",
    "take_split",
    "window_batches",
]
