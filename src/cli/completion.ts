/**
 * Completions of a command line, from the declarations of the commands. A shell's script asks the
 * program at each TAB: `stella __complete WORDS...`, where the last word is the one being typed.
 */
import { type Command, commonOptions, flagOf, type Option } from "./command.ts";

/**
 * A line for each word that can stand there, with its description after a tab; or the line `:file`
 * or `:dir` where the shell offers paths. Which of them match the typed word is the shell's matter.
 */
export function completions(words: readonly string[], commands: readonly Command[]): string {
  // In bash the sign in --option=value is a word of its own.
  const last = words.at(-1) === "=" ? "" : words.at(-1) ?? "";
  const before = words.slice(0, -1).filter((word) => word !== "=");
  const { command, next } = commandAt(before, commands);
  const options = command === undefined
    ? []
    : Object.entries({ ...command.options, ...commonOptions })
      .map(([name, option]) => [flagOf(name), option] as const);
  const [start = "", flag = before.at(-1)] = /^(--[^=]+)=/.exec(last) ?? [];
  const valued = options.find(([name]) => name === flag)?.[1];
  const offered = () => {
    if (valued?.kind === "text") return valuesOf(valued, start);
    if (last.startsWith("-")) return options.map(([name, { help }]) => `${name}\t${help}`);
    if (next.size > 0) return [...next].map(([word, summary]) => `${word}\t${summary}`);
    return Object.entries(command?.args ?? {}).flatMap(([name, { choices }]) =>
      choices ?? (pathArguments.includes(name) ? [":file"] : [])
    );
  };
  return offered().map((line) => `${line}\n`).join("");
}

/** Arguments that are paths, by their names. */
const pathArguments = ["place", "other", "file", "dir"];

function valuesOf({ choices, value }: Extract<Option, { kind: "text" }>, start: string): string[] {
  if (choices !== undefined) return choices.map((choice) => `${start}${choice}`);
  if (value === "dir") return [":dir"];
  return ["file", "path", "place"].includes(value) ? [":file"] : [];
}

/** The command that the words name so far, and the words, with summaries, of longer names. */
function commandAt(words: readonly string[], commands: readonly Command[]) {
  const named = commands.flatMap((command) =>
    [command.path, ...command.aliases].map((name) => ({ name: name.split(" "), command }))
  );
  const startsWith = (name: readonly string[], start: readonly string[]) =>
    start.every((word, at) => word === name[at]);
  const length =
    words.findLastIndex((_, at) =>
      named.some(({ name }) => startsWith(name, words.slice(0, at + 1)))
    ) + 1;
  const start = words.slice(0, length);
  const longer = named.filter(({ name }) => name.length > length && startsWith(name, start));
  const next = new Map<string, string>();
  for (const { name, command } of length === words.length ? longer : []) {
    const word = name[length] ?? "";
    const isWhole = name.length === length + 1;
    if (isWhole || !next.has(word)) next.set(word, isWhole ? command.summary : "");
  }
  const found = named.find(({ name }) => name.length === length && startsWith(name, start));
  return { command: found?.command, next };
}

/** By shell. */
export const completionScripts = {
  bash: `# bash completion for stella; load it with: source <(stella completion bash)
_stella() {
  local current=\${COMP_WORDS[COMP_CWORD]} word
  COMPREPLY=()
  if [[ $current == = ]]; then current=; fi
  while IFS=$'\\t' read -r word _; do
    case $word in
      :file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      "$current"*) COMPREPLY+=("$word") ;;
    esac
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}

complete -F _stella stella
`,
  zsh: `#compdef stella
# zsh completion for stella; load it with: source <(stella completion zsh)
_stella() {
  local line
  local -a offered
  for line in "\${(@f)$("$words[1]" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      (:file) compset -P '--*='; _files ;;
      (:dir) compset -P '--*='; _files -/ ;;
      (?*) offered+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done
  if (( $#offered )); then _describe stella offered; fi
}

if [[ $funcstack[1] == _stella ]]; then _stella "$@"; else compdef _stella stella; fi
`,
  fish: `# fish completion for stella; load it with: stella completion fish | source
function __stella_complete
    set -l words (commandline -opc)
    set -l current "$(commandline -ct)"
    set -l start (string match -r -- '^--[^=]*=' $current)
    set -l path (string replace -r -- '^--[^=]*=' '' $current)
    for line in ($words[1] __complete $words[2..-1] $current 2>/dev/null)
        switch $line
            case :file
                printf '%s\\n' "$start"(__fish_complete_path $path)
            case :dir
                printf '%s\\n' "$start"(__fish_complete_directories $path)
            case '*'
                printf '%s\\n' $line
        end
    end
end

complete -c stella -f -a '(__stella_complete)'
`,
} as const;
