"""What the modules of a model are called, in any framework: a layer's weights have one name in all of them."""

from __future__ import annotations

from segcompile.network.graph import enclosing
from segcompile.network.names import Names
from segcompile.network.scope_tree import ROOT, ScopeTree

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


def attributes(tree: ScopeTree, scope: str) -> dict[str, str]:
    """Node or inner scope -> its attribute in the class of `scope`: its own name, where a module can bear that.

    A name is taken also where there is no module: another framework may have one, and they share weights.
    """
    names, found = Names(ATTRIBUTES), dict[str, str]()
    for item in tree.items[scope]:
        if isinstance(item, str):
            found[item] = names.new(item.rpartition(".")[2])
            continue
        for node in item:
            name = node.layer.rpartition(".")[2]
            found[node.name] = names.new(name if node.role == "main" else f"{name}_{node.role}")
    return found


def paths(tree: ScopeTree, scope: str = ROOT, prefix: str = "") -> dict[str, str]:
    """Node -> where its module lies in the model: `context.layer1`, `context.layer1_norm`."""
    found, names = dict[str, str](), attributes(tree, scope)
    for item in tree.items[scope]:
        if isinstance(item, str):
            found |= paths(tree, item, f"{prefix}{names[item]}.")
        else:
            found |= {node.name: f"{prefix}{names[node.name]}" for node in item}
    return found


def scope_path(tree: ScopeTree, scope: str) -> str:
    """Where the module of a scope lies in the model."""
    around = next((name for name in enclosing(scope.rpartition(".")[0]) if name in tree.scopes), ROOT)
    own = attributes(tree, around)[scope]
    return f"{scope_path(tree, around)}.{own}" if around else own
