"""The words that a PyTorch module and the generated file keep for themselves."""

from __future__ import annotations

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

# What the template imports, defines and uses.
NAMES = frozenset(
    {
        "F", "Tensor", "bilinear_", "center_crop", "center_pad", "crop", "float", "he_", "identity_", "isinstance",
        "math", "module", "nearest", "nn", "self", "super", "torch",
    }
)  # fmt: skip

# What the files beside model.py import, define and use: none may be the model's class.
CLASSES = frozenset(
    {
        "Any", "Array", "Batches", "Callable", "DataLoader", "Dataset", "Exception", "F", "False",
        "FileNotFoundError", "Image", "InputError", "Iterator", "Mapping", "Metrics", "NDArray", "None", "OSError",
        "Pair", "Path", "Size", "Steps", "Tensor", "TextIO", "True", "ValueError",
    }
)  # fmt: skip
