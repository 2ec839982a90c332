"""The words that modules keep for themselves, in any framework: a layer's weights have one name in all of them."""

from __future__ import annotations

# Every public name of torch.nn.Module and of flax.nnx.Module (tests of the backends compare), reset_parameters, and
# what the latter's train() and eval() set.
ATTRIBUTES = frozenset(
    {
        "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile",
        "cpu", "cuda", "deterministic", "double", "dump_patches", "eval", "extra_repr", "float", "forward",
        "get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "iter_children",
        "iter_modules", "load_state_dict", "modules", "mtia", "named_buffers", "named_children",
        "named_modules", "named_parameters", "parameters", "perturb", "register_backward_hook",
        "register_buffer", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
        "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook", "register_module", "register_parameter",
        "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "reset_parameters",
        "set_attributes", "set_extra_state", "set_submodule", "share_memory", "sow", "state_dict", "to",
        "to_empty", "train", "training", "type", "use_running_average", "xpu", "zero_grad",
    }
)  # fmt: skip
