"""The words that a PyTorch module and the generated file keep for themselves."""

from __future__ import annotations

import builtins

# Every public name of torch.nn.Module (a test compares), and reset_parameters.
ATTRIBUTES = frozenset(
    {
        "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile", "cpu",
        "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer", "get_extra_state",
        "get_parameter", "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers",
        "named_children", "named_modules", "named_parameters", "parameters", "register_backward_hook",
        "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
        "register_full_backward_pre_hook", "register_load_state_dict_post_hook", "register_load_state_dict_pre_hook",
        "register_module", "register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook",
        "requires_grad_", "reset_parameters", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to",
        "to_empty", "train", "training", "type", "xpu", "zero_grad",
    }
)  # fmt: skip

# What the template imports, defines and uses, with the builtins in classes (a test reads them in emitted code).
NAMES = frozenset(
    {
        "F", "Tensor", "bilinear_", "center_crop", "center_pad", "crop", "dict", "float", "he_", "identity_", "int",
        "isinstance", "math", "module", "nearest", "nn", "self", "str", "super", "torch", "tuple",
    }
)  # fmt: skip

CLASSES = frozenset({"F", "False", "None", "Tensor", "True"})

# What the other files, which import the model's class by its name, use in capitals (a test reads them).
MODELS = CLASSES | {
    "Any", "Array", "BOUNDS", "Batches", "CENTRE", "CHANNELS", "CLASSES", "Callable", "DAMAGED", "DataLoader",
    "Dataset", "HEAD", "HEADS", "IGNORE", "Image", "InputError", "Iterator", "LEAST", "MEAN", "MOST", "MULTIPLE",
    "Mapping", "Metrics", "NDArray", "OFFSET", "OUTPUT", "PROBABILITIES", "Pair", "Path", "SIZE", "STD", "STOPS",
    "STRIDE", "Size", "Steps", "TextIO", *(name for name in dir(builtins) if name[0].isupper()),
}  # fmt: skip
