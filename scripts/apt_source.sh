# How an apt package source is signed; sourced by scripts/setup.

# The Signed-By of the package source that apt calls FILE:N, for a repository; prints the field as deb822 text, or nothing.
signed_by_of() {
  local entry=${1%:*} uri=${2%/}
  case $entry in
    *.sources)
      # A stanza a paragraph; a field goes on in lines that begin with a blank.
      awk -v RS= -v uri="$uri" '
        {
          n = split($0, lines, "\n"); field = ""; signed = ""; uris = ""
          for (i = 1; i <= n; i++) {
            if (lines[i] ~ /^#/) continue
            if (lines[i] !~ /^[ \t]/) { field = tolower(lines[i]); sub(/:.*/, "", field) }
            if (field == "signed-by") signed = signed lines[i] "\n"
            if (field == "uris") uris = uris " " lines[i]
          }
          sub(/^ *[^:]*:/, "", uris)
          m = split(uris, each, /[ \t]+/)
          for (i = 1; i <= m; i++) { u = each[i]; sub(/\/$/, "", u); if (u == uri && signed != "") { printf "%s", signed; exit } }
        }' "$entry"
      ;;
    *)
      awk -v uri="$uri" '
        $1 == "deb" {
          options = ""
          if (match($0, /\[[^]]*\]/)) { options = substr($0, RSTART + 1, RLENGTH - 2); $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH) }
          u = $2; sub(/\/$/, "", u)
          if (u != uri) next
          n = split(options, each, /[ \t]+/)
          for (i = 1; i <= n; i++) if (each[i] ~ /^signed-by=/) { sub(/^signed-by=/, "", each[i]); gsub(/,/, " ", each[i]); print "Signed-By: " each[i]; exit }
        }' "$entry"
      ;;
  esac
}
