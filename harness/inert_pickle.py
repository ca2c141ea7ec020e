"""Reads a pickle as data: nothing that it names is imported, made or called.

A pickle is a program for a small stack machine. This is such a machine without the parts that do harm: a class or
function is the text of its name, an instance of a class is a placeholder that holds what would have been its state, and
a request to call something is refused by the name of that something, unless the reader of the file knows a way to do
without the call. The standard library's ``pickletools`` splits the program into its instructions; it runs none.
"""

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

__all__ = ["Foreign", "Name", "NotInertError", "read_inert"]

_NEWEST_PROTOCOL: Final = 5
_MODULES_OF_PYTHON_2: Final = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Pickles up to protocol 2 name modules as Python 2 did."""
_PLAIN_KEYS: Final = (str, int, float, bytes, type(None))


class NotInertError(Exception):
    """The pickle asks for a call; ``name`` is what it would call."""

    def __init__(self, name: str) -> None:
        """Keep the name."""
        self.name = name
        super().__init__(name)


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that the pickle names."""

    module: str
    attribute: str

    def __str__(self) -> str:
        """As it is written in Python."""
        return f"{self.module}.{self.attribute}"


@dataclass(slots=True, eq=False)
class Foreign:
    """What stands for an instance of a class."""

    name: str
    arguments: object = ()
    state: object = None
    items: dict[Any, object] = field(default_factory=dict)
    """What the pickle puts into it under keys."""
    members: list[object] = field(default_factory=list)
    """What the pickle adds to it without keys."""


def _name(module: str, attribute: str) -> Name:
    return Name(_MODULES_OF_PYTHON_2.get(module, module), attribute)


class _Mark:
    """The place on the stack from which on several values belong together."""


Calls = Mapping[str, Callable[[tuple[Any, ...]], object]]
"""{name: what the reader of the file does in place of that call}"""


def read_inert(file: IO[bytes], *, calls: Calls, persistent: Callable[[object], object]) -> Any:  # noqa: ANN401
    """Read one pickle from where the file is, and leave the file behind it.

    Args:
        file: The open file.
        calls: Functions of the caller that stand for the calls it knows; they get what is on the stack.
        persistent: Gives the object for a persistent id.

    Returns:
        Numbers, texts, lists, tuples and dictionaries; ``Name`` and ``Foreign`` for all else. Sets are ``Foreign``.

    Raises:
        NotInertError: The pickle asks for a call that is not in ``calls``.
        ValueError: It is damaged, or no pickle.
    """
    machine = _Machine(calls, persistent)
    try:
        for instruction, argument, _ in pickletools.genops(file):
            machine.step(instruction.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise ValueError(f"no whole pickle ({type(error).__name__}: {error})") from error
    if len(machine.stack) != 1:
        raise ValueError(f"no whole pickle ({len(machine.stack)} values are left)")
    return machine.stack[0]


class _Machine:
    def __init__(self, calls: Calls, persistent: Callable[[object], object]) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, object] = {}
        self._calls = calls
        self._persistent = persistent

    def step(self, name: str, argument: Any) -> None:  # noqa: ANN401 - of whatever kind the instruction has
        """Carry out one instruction."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            self.stack.append(argument)
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(reversed([self.stack.pop() for _ in range(_TUPLES[name])])))
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else argument] = self.stack[-1]
        elif name not in _IGNORED:
            steps = getattr(self, f"_{name.lower()}", None)
            if steps is None:
                raise ValueError(f"the instruction {name}, which no checkpoint has")
            steps(argument)

    def _since_mark(self) -> list[Any]:
        values = []
        while not isinstance(value := self.stack.pop(), _Mark):
            values.append(value)
        return values[::-1]

    # -- the instructions, by the names that pickletools gives them

    def _proto(self, version: int) -> None:
        if version > _NEWEST_PROTOCOL:
            raise ValueError(f"protocol {version} of pickle, expected at most {_NEWEST_PROTOCOL}")

    def _mark(self, _: None) -> None:
        self.stack.append(_Mark())

    def _pop(self, _: None) -> None:
        self.stack.pop()

    def _pop_mark(self, _: None) -> None:
        self._since_mark()

    def _dup(self, _: None) -> None:
        self.stack.append(self.stack[-1])

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _list(self, _: None) -> None:
        self.stack.append(self._since_mark())

    def _dict(self, _: None) -> None:
        values = self._since_mark()
        self.stack.append({})
        self._put(values)

    def _frozenset(self, _: None) -> None:
        self.stack.append(Foreign("builtins.frozenset", members=self._since_mark()))

    def _append(self, _: None) -> None:
        value = self.stack.pop()
        self._add([value])

    def _appends(self, _: None) -> None:
        self._add(self._since_mark())

    def _additems(self, _: None) -> None:
        self._add(self._since_mark())

    def _add(self, values: list[Any]) -> None:
        target = self.stack[-1]
        (target.members if isinstance(target, Foreign) else target).extend(values)

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def _setitems(self, _: None) -> None:
        self._put(self._since_mark())

    def _put(self, values: list[Any]) -> None:
        target = self.stack[-1]
        items = target.items if isinstance(target, Foreign) else target
        for key, value in zip(values[::2], values[1::2], strict=True):
            # A deep tuple as a key would be hashed by recursion without limit; no tensor has such a name.
            items[key if isinstance(key, _PLAIN_KEYS) else Foreign("key", key)] = value

    def _global(self, pair: str) -> None:
        self.stack.append(_name(*pair.split(" ", 1)))

    def _stack_global(self, _: None) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        if not isinstance(attribute, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self.stack.append(_name(module, attribute))

    def _persid(self, key: str) -> None:
        self.stack.append(self._persistent(key))

    def _binpersid(self, _: None) -> None:
        self.stack.append(self._persistent(self.stack.pop()))

    def _reduce(self, _: None) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self._called(function, arguments))

    def _inst(self, pair: str) -> None:
        arguments = tuple(self._since_mark())
        self.stack.append(self._called(_name(*pair.split(" ", 1)), arguments))

    def _obj(self, _: None) -> None:
        function, *arguments = self._since_mark()
        self.stack.append(self._called(function, tuple(arguments)))

    def _called(self, function: object, arguments: object) -> object:
        if isinstance(function, Foreign):
            raise NotInertError(function.name)
        name = str(function) if isinstance(function, Name) else type(function).__name__
        if not isinstance(function, Name) or name not in self._calls:
            raise NotInertError(name)
        if not isinstance(arguments, tuple):
            raise TypeError(f"arguments that are a {type(arguments).__name__}")
        return self._calls[name](arguments)

    def _newobj(self, _: None) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        self._new(made, arguments)

    def _newobj_ex(self, _: None) -> None:
        named, arguments, made = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._new(made, (arguments, named))

    def _new(self, made: object, arguments: object) -> None:
        if not isinstance(made, Name):
            raise NotInertError(made.name if isinstance(made, Foreign) else type(made).__name__)
        self.stack.append({} if str(made) in _DICTIONARIES else Foreign(str(made), arguments))

    def _build(self, _: None) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Name):  # would change the attributes of a class or function of this process
            raise NotInertError(str(target))
        if isinstance(target, Foreign):
            target.state = state


_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: Final[Mapping[str, Callable[[], object]]] = {
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "EMPTY_SET": lambda: Foreign("builtins.set"),
}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_LITERALS: Final = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
_IGNORED: Final = frozenset({"STOP", "FRAME"})
_DICTIONARIES: Final = frozenset({"collections.OrderedDict", "builtins.dict"})
