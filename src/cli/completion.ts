/**
 * Completion scripts for bash, zsh and fish, from the declarations of the commands. A script
 * contains all names and options, so pressing TAB starts no program.
 */
import { type Command, commonOptions, flagOf, type Option } from "./command.ts";

/** What can follow a name: `export`, `export bundle`, `verify`. */
interface Node {
  name: string;
  /** The next word of a longer name, with its summary. */
  next: [word: string, about: string][];
  options: [flag: string, option: Option][];
  takesPath: boolean;
}

/** The completions for the value of an option. */
type Offer = { kind: "words"; words: readonly string[] } | { kind: "file" | "dir" | "nothing" };

export function completionScript(
  shell: "bash" | "zsh" | "fish",
  commands: readonly Command[],
): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](nodesOf(commands));
}

function nodesOf(commands: readonly Command[]): Node[] {
  const nodes = new Map<string, Node>();
  const node = (name: string) => {
    const found = nodes.get(name) ?? { name, next: [], options: [], takesPath: false };
    nodes.set(name, found);
    return found;
  };
  for (const command of commands) {
    for (const name of [command.path, ...command.aliases]) {
      const words = name.split(" ");
      words.forEach((word, at) => {
        const above = node(words.slice(0, at).join(" "));
        const isWhole = at === words.length - 1;
        const known = above.next.find(([one]) => one === word);
        if (known === undefined) above.next.push([word, isWhole ? command.summary : ""]);
        else if (isWhole) known[1] = command.summary;
      });
      const own = node(name);
      own.options = [...Object.entries({ ...command.options, ...commonOptions })]
        .map(([option, one]) => [flagOf(option), one]);
      own.takesPath = Object.keys(command.args).some((one) => pathArguments.includes(one));
    }
  }
  return [...nodes.values()];
}

/** Arguments that are paths, by their names. */
const pathArguments = ["place", "other", "file", "dir"];

function offerOf(option: Option): Offer | undefined {
  if (option.kind === "flag") return undefined;
  if (option.choices !== undefined) return { kind: "words", words: option.choices };
  if (option.value === "dir") return { kind: "dir" };
  return { kind: ["file", "path", "place"].includes(option.value) ? "file" : "nothing" };
}

/** Patterns `NAME:--option` of a shell's `case`, by the completions they get. */
function offers(nodes: readonly Node[]): Map<string, { offer: Offer; patterns: string[] }> {
  const found = new Map<string, { offer: Offer; patterns: string[] }>();
  for (const { name, options } of nodes) {
    for (const [flag, option] of options) {
      const offer = offerOf(option);
      if (offer === undefined) continue;
      const key = JSON.stringify(offer);
      const one = found.get(key) ?? { offer, patterns: [] };
      found.set(key, one);
      one.patterns.push(`"${name}:${flag}"`);
    }
  }
  return found;
}

function bashScript(nodes: readonly Node[]): string {
  const act = (offer: Offer) =>
    offer.kind === "words"
      ? `_stella_offer -W "${offer.words.join(" ")}"`
      : offer.kind === "file"
      ? "_stella_offer -f"
      : offer.kind === "dir"
      ? "_stella_offer -d"
      : ":";
  const values = [...offers(nodes).values()].map(({ offer, patterns }) =>
    `    ${patterns.join("|")}) ${act(offer)}; return ;;`
  );
  const rows = nodes.map(({ name, next, options, takesPath }) =>
    `    "${name}") next="${next.map(([word]) => word).join(" ")}" ` +
    `flags="${flagsOf(options)}" paths=${takesPath ? 1 : ""} ;;`
  );
  return `# bash completion for stella; load it with: source <(stella completion bash)
_stella_offer() {
  if [[ $1 != -W ]]; then compopt -o filenames 2>/dev/null; fi
  mapfile -t COMPREPLY < <(compgen "$@" -- "$current")
}

_stella() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local name= word next= flags= paths=
  COMPREPLY=()
  # Bash has a word of its own for the sign in --option=value.
  if [[ $current == = ]]; then current=
  elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${name:+$name }$word" in
      ${namesOf(nodes).map((name) => `"${name}"`).join("|")}) name="\${name:+$name }$word" ;;
      *) break ;;
    esac
  done
  case "$name:$previous" in
${values.join("\n")}
  esac
  case "$name" in
${rows.join("\n")}
  esac
  if [[ $current == -* ]]; then _stella_offer -W "$flags"
  elif [[ -n $next && ( -z $name || $previous == "\${name##* }" ) ]]; then _stella_offer -W "$next"
  elif [[ -n $paths ]]; then _stella_offer -f; fi
}

complete -F _stella stella
`;
}

function zshScript(nodes: readonly Node[]): string {
  const act = (offer: Offer) =>
    offer.kind === "words"
      ? `compadd -- ${offer.words.join(" ")}`
      : offer.kind === "file"
      ? "_files"
      : offer.kind === "dir"
      ? "_files -/"
      : ":";
  const values = [...offers(nodes).values()].map(({ offer, patterns }) =>
    `    (${patterns.join("|")}) ${act(offer)}; return ;;`
  );
  const described = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([word, about]) => zshQuoted(about === "" ? word : `${word}:${about}`)).join(" ");
  const rows = nodes.map(({ name, next, options, takesPath }) =>
    [
      `    ("${name}")`,
      `      next=(${described(next)})`,
      `      flags=(${described(options.map(([flag, option]) => [flag, option.help]))})`,
      `      paths=${takesPath ? 1 : ""} ;;`,
    ].join("\n")
  );
  return `#compdef stella
# zsh completion for stella; load it with: source <(stella completion zsh)
_stella() {
  local current=\${words[CURRENT]} previous=\${words[CURRENT-1]} name= word paths=
  local -a next flags
  if [[ $current == --*=* ]]; then
    previous=\${current%%=*}
    compset -P '*='
  fi
  for word in \${words[2,CURRENT-1]}; do
    case "\${name:+$name }$word" in
      (${namesOf(nodes).map((name) => `"${name}"`).join("|")}) name="\${name:+$name }$word" ;;
      (*) break ;;
    esac
  done
  case "$name:$previous" in
${values.join("\n")}
  esac
  case "$name" in
${rows.join("\n")}
  esac
  if [[ $current == -* ]]; then _describe option flags
  elif [[ $#next -gt 0 && ( -z $name || $previous == "\${name##* }" ) ]]; then _describe command next
  elif [[ -n $paths ]]; then _files; fi
}

if [[ $funcstack[1] == _stella ]]; then _stella "$@"; else compdef _stella stella; fi
`;
}

function fishScript(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ name, next, options, takesPath }) => {
    const at = `complete -c stella -n ${fishQuoted(`__stella_at ${fishQuoted(name)}`)}`;
    return [
      ...next.map(([word, about]) => `${at} -a ${word} -d ${fishQuoted(about)}`),
      ...options.map(([flag, option]) =>
        `${at} -l ${flag.slice(2)}${fishOffer(option)} -d ${fishQuoted(option.help)}`
      ),
      ...(takesPath ? [`${at} -F`] : []),
    ];
  });
  return `# fish completion for stella; load it with: stella completion fish | source
set -g __stella_names ${namesOf(nodes).map(fishQuoted).join(" ")}

function __stella_at
    set -l at
    for word in (commandline -opc)[2..-1]
        contains -- "$(string join -- ' ' $at $word)" $__stella_names; or break
        set at $at $word
    end
    test "$at" = "$argv[1]"
end

complete -c stella -f
${lines.join("\n")}
`;
}

function fishOffer(option: Option): string {
  const offer = offerOf(option);
  if (offer === undefined) return "";
  if (offer.kind === "words") return ` -x -a ${fishQuoted(offer.words.join(" "))}`;
  if (offer.kind === "dir") return " -x -a '(__fish_complete_directories)'";
  return offer.kind === "file" ? " -r -F" : " -x";
}

function namesOf(nodes: readonly Node[]): string[] {
  return nodes.map(({ name }) => name).filter((name) => name !== "");
}

function flagsOf(options: Node["options"]): string {
  return options.map(([flag]) => flag).join(" ");
}

function zshQuoted(text: string): string {
  const [word = "", ...about] = text.split(":");
  const escaped = about.join("\\:");
  return `'${(about.length === 0 ? word : `${word}:${escaped}`).replaceAll("'", `'\\''`)}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
