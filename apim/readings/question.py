"""One undocumented question, and the answers that it may have."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer.

    Attributes:
        name: as it is written on the command line, such as "raw".
        meaning: what Azure does under this answer, as a sentence.
    """

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where evidence was found.

    Attributes:
        title: names the page, issue or file.
        url: links to it.
    """

    title: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about Azure's behaviour that its documentation does not settle.

    Attributes:
        id: "R1" and so on; other documents cite it.
        name: as it is written on the command line, such as "query".
        text: the question in one sentence.
        options: the possible answers, the default first.
        hostile: the name of the option that is hardest on the policies.
        evidence: what speaks for which answer, in Markdown.
        sources: of the evidence.
        check: what to look at first after a deployment, in Markdown.
        remedy: what to do when Azure turns out to behave in the unwanted way, in Markdown.
        services: whether the twin's services implement it. Otherwise the policy engine does.
    """

    id: str
    name: str
    text: str
    options: tuple[Option, ...]
    hostile: str
    evidence: str
    sources: tuple[Source, ...]
    check: str
    remedy: str
    services: bool

    @property
    def default(self) -> Option:
        """The answer that holds when none is chosen: the most likely or the most hostile one."""
        return self.options[0]

    @property
    def field(self) -> str:
        """The name of its attribute in `Readings`."""
        return self.name.replace("-", "_")

    def option(self, name: str) -> Option:
        """The option of a name.

        Raises:
            LookupError: there is no such option.
        """
        for option in self.options:
            if option.name == name:
                return option
        raise LookupError(f"{self.name} has no option {name!r}; choose one of {self.choices}")

    @property
    def choices(self) -> str:
        """The names of all options in one string: "raw, decoded"."""
        return ", ".join(option.name for option in self.options)
