"""An undocumented question and its possible answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer.

    Attributes:
        name: its name on the command line, such as "raw".
        meaning: a sentence about what Azure does under this answer.
    """

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Source:
    """A source of evidence.

    Attributes:
        title: title of the page, issue or file.
        url: its address.
    """

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about Azure's behaviour that its documentation does not answer.

    Attributes:
        id: "R1" and so on; other documents cite it.
        name: its name on the command line, such as "query".
        text: the question in one sentence.
        options: the possible answers, the default first.
        strict: the name of the option that is the most demanding for the policies.
        evidence: the evidence for each answer, in Markdown.
        sources: the sources of the evidence.
        check: what to check first after a deployment, in Markdown.
        remedy: what to do if Azure's behaviour is the unwanted one, in Markdown.
        services: whether the twin's services implement it; otherwise the policy engine does.
    """

    id: str
    name: str
    text: str
    options: tuple[Option, ...]
    strict: str
    evidence: str
    sources: tuple[Source, ...]
    check: str
    remedy: str
    services: bool

    @property
    def default(self) -> Option:
        """The answer if none is chosen: the most likely or the most demanding one."""
        return self.options[0]

    @property
    def field(self) -> str:
        """The name of its attribute in `Readings`."""
        return self.name.replace("-", "_")

    def option(self, name: str) -> Option:
        """The option with this name.

        Raises:
            LookupError: the question has no such option.
        """
        for option in self.options:
            if option.name == name:
                return option
        raise LookupError(f"{self.name} has no option {name!r}; choose one of {self.choices}")

    @property
    def choices(self) -> str:
        """The names of all options in one string: "raw, decoded"."""
        return ", ".join(option.name for option in self.options)
