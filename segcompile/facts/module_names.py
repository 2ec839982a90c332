"""What the modules of a model are called, in any framework: a layer's weights have one name in all of them."""

from __future__ import annotations

from segcompile.network.graph import enclosing
from segcompile.network.names import Names
from segcompile.network.scope_tree import ROOT, Item, ScopeTree, name_of

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
    """Node or inner scope -> its attribute in the class of `scope`: its own name, where a module can bear that; of what
    stands in a scope without a module, `scope_layer`.

    A name is taken also where there is no module: another framework may have one, and they share weights. Those of
    scopes without modules come last, first of all those with weights: whether it is a twin changes no other's name.
    """
    names, found, last = Names(ATTRIBUTES), dict[str, str](), list[Item]()
    for item in tree.items[scope]:
        lost = _lost_around(tree, item, scope)
        if lost is None:
            _name(item, name_of(item), names, found)
        else:
            last.append(item)
            found[lost] = found.get(lost) or names.new(lost.rpartition(".")[2])
    for item in sorted(last, key=lambda item: name_of(item) not in tree.owning):
        _name(item, name_of(item).removeprefix(f"{scope}.").replace(".", "_"), names, found)
    return found


def _name(item: Item, whole: str, names: Names, found: dict[str, str]) -> None:
    """Name a scope, or the nodes of a layer, by the end of its name."""
    name = whole.rpartition(".")[2]
    if isinstance(item, str):
        found[item] = names.new(name)
        return
    for node in item:
        found[node.name] = names.new(name if node.role == "main" else f"{name}_{node.role}")


def _lost_around(tree: ScopeTree, item: Item, scope: str) -> str | None:
    """The outermost scope without a module in `scope` that an item of that stands in."""
    lost = [name for name in enclosing(name_of(item)) if name in tree.dissolved and name not in enclosing(scope)]
    return lost[-1] if lost else None


def paths(tree: ScopeTree) -> dict[str, str]:
    """Node -> where its module lies in the model: `context.layer1`, `context.layer1_norm`; of one that shares weights,
    where the other's does."""
    found = places(tree)
    return {node.name: found[node.owner] for node in tree.graph.nodes}


def places(tree: ScopeTree, scope: str = ROOT, prefix: str = "") -> dict[str, str]:
    """As `paths`, but of one that shares weights where its own would lie."""
    found, names = dict[str, str](), attributes(tree, scope)
    for item in tree.items[scope]:
        if isinstance(item, str):
            found |= places(tree, item, f"{prefix}{names[item]}.")
        else:
            found |= {node.name: f"{prefix}{names[node.name]}" for node in item}
    return found


def scope_path(tree: ScopeTree, scope: str) -> str:
    """Where the module of a scope lies in the model."""
    around = tree.around(scope)
    own = attributes(tree, around)[scope]
    return f"{scope_path(tree, around)}.{own}" if around else own
