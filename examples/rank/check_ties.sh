#!/bin/sh
# Usage: check_ties.sh PREFOPT_RANK FOLDER_OF_csv_program_checks.sh
. "$2/csv_program_checks.sh"
. "$(dirname "$0")/rank_checks.sh"

# Where no closed form stands beside a value, it is of a fit of its own: the log-likelihood summed outcome by outcome as the
# model is defined, its derivatives by central differences in 100 digits, Newton's method.

# fits INPUT OPTIONS, then lines "item worth stderr", "tie2 value stderr" or "log-likelihood value"
fits() {
  accepts '' "$@"
  while read -r what value error; do
    case $what in
      log-likelihood) near "$value" 1e-12 "$(log_likelihood)" ;;
      tie* | theta)
        near "$value" 1e-12 "$(parameter "$what")"
        near "$error" 1e-11 "$(parameter_error "$what")"
        ;;
      *)
        near "$value" 1e-12 "$(worth "$what")"
        near "$error" 1e-11 "$(error_of "$what")"
        ;;
    esac
  done
}

# --- comparisons -----------------------------------------------------------------------------------------------------
# basalt and amber are as one. Half: cobalt has 1 of 4 points, odds of 1 to 3, against them. Davidson: tie2 is 2, worth 2 log 3.
stones='amber>basalt\nbasalt>amber\namber=cobalt\ncobalt=basalt\namber>cobalt\nbasalt>cobalt\namber=basalt\n'
fits "$stones" --ties half <<'END'
basalt 0 1.03279555898864
cobalt -1.0986122886681098 1.26491106406735
log-likelihood -4.32878212015506933
END
fits "$stones" --ties davidson <<'END'
basalt 0 1.46059348668044
cobalt -2.1972245773362196 1.99045340611248
tie2 2 1.74574312188793905
log-likelihood -6.57812269863030273
END
fits "$stones" --ties rao-kupper <<'END'
basalt 0 0.988348938726106
cobalt -1.29356246522598032 1.14576672035132
theta 3.09716754070972706 1.84537860468206648
log-likelihood -6.66607103864469827
END
pairs='5:a>b\n3:b>a\n4:a=b\n6:b>c\n2:c>b\n1:b=c\n7:a>c\n1:c>a\n3:a=c\n'
fits "$pairs" --ties half <<'END'
b -0.319958593257693919 0.509177530330508
c -1.24891406712422655 0.574513457252873
log-likelihood -19.3651030077663557
END
fits "$pairs" --ties davidson <<'END'
b -0.45195960893309404 0.608315631585823
c -1.76940232511071124 0.725242148456283
tie2 0.799565999259841447 0.3435059358822764
log-likelihood -30.7677590026663675
END
fits "$pairs" --ties rao-kupper <<'END'
b -0.294049119820524313 0.459239860483968
c -1.34830557388320289 0.524880602929002
theta 1.87653527985282813 0.38377648422084826
log-likelihood -30.7631898635299124
END
# The same by the iterative solver, which has no standard errors of the worths.
accepts '' "$pairs" --ties davidson --stderr-limit 2
near -1.76940232511071124 1e-11 "$(worth c)"
near 0.799565999259841447 1e-11 "$(parameter tie2)"
near 0.3435059358822764 1e-10 "$(parameter_error tie2)"
[ -z "$(error_of c)" ] || fail 'standard errors are left out above the limit' '' "$(error_of c)"
# Where nothing is tied, ties have no parameter, and the worths are those without them.
accepts '' 'a>b\nb>c\nc>a\na>b\n'
plain=$(cat "$folder/out")
for ties in davidson rao-kupper half; do accepts "$plain" 'a>b\nb>c\nc>a\na>b\n' --ties $ties; done
# Two items: log odds of the wins, of which the variance is 1/9 + 1/4, and tie2, the ties over the root of wins times losses,
# of whose logarithm it is 1/12 + (1/9 + 1/4) / 4.
fits '9:a>b\n4:b>a\n12:a=b\n' --ties davidson <<'END'
b -0.810930216216328764 0.600925212577331
tie2 2 0.833333333333333333
END

# --- rankings --------------------------------------------------------------------------------------------------------
# Ties at any place, of two and of three (the last two items of a line included).
fits 'ash > birch > cedar\nbirch > cedar > dogwood\nash > dogwood > elm\nash = birch = dogwood > cedar\nelm > cedar = dogwood\ncedar > birch = dogwood\n' \
  --ties davidson <<'END'
birch -2.59674323858317101 2.01062971927088
cedar -3.73312806355124267 2.1331359802224
dogwood -4.1381596744311737 2.16828578745316
elm -3.77135875634517355 2.50418755794826
tie2 0.465609595494127455 0.392605984833672074
tie3 1.24183762296710909 1.53864939360372353
log-likelihood -13.814538370312276
END
fits '2:a=b>c\n1:a>c>b\n1:c>a=b\n1:b>c\n1:a=b=c\n2:c>b>a\n' --ties davidson <<'END'
b 0.519486974606851825 0.928881707871745
c 1.03492211817634979 1.05574746760775
tie2 0.527241558570737364 0.364876835711898624
tie3 0.815139909272456603 0.909672712064898535
log-likelihood -18.047651028833065
END
# PrefLib's {1,3} is a tie, too.
preflib='# DATA TYPE: toc\n# ALTERNATIVE NAME 1: Ash\n# ALTERNATIVE NAME 2: Birch\n# ALTERNATIVE NAME 3: Cedar\n3: 1,2,3\n2: 2,{1,3}\n1: {1,3},2\n'
fits "$preflib" --ties davidson <<'END'
Birch -0.150599395736933328 0.95922001044616
Cedar -2.25034135050621555 1.28665251533316
tie2 0.694917653010624479 0.516334290677172535
log-likelihood -12.9560454309387444
END
# Half: every order of tied items alike.
fits '2:a=b>c\n1:a>c>b\n1:c>a=b\n1:b>c\n1:a=b=c\n' --ties half <<'END'
b -0.420059085504283359 0.80690832431971
c -0.888185253256367097 0.87566505920813
log-likelihood -9.10600701590243085
END
# Counts far apart, of which the favourites' would hide the others.
refuses '<stdin>: a tie of 550, where one of 1100 items is chosen: --ties davidson adds up their subsets of that size, which are more than a number can hold' \
  "$(seq -s = 550)>$(seq -s = 551 1100)\n" --ties davidson --prior normal:1
accepts '' '1e9:a>b>c\n1:b>a=c\n1e5:a=b>c\n1e9:b>c>d\n1:c>b=d\n1:d>a>b\n' --ties davidson
near -18.9315257421659573 2e-11 "$(worth b)"
near -98.4516273796975656 1e-10 "$(worth d)"
near 1.29091657929825649 1e-11 "$(parameter tie2)"

# --- priors ----------------------------------------------------------------------------------------------------------
unbeaten='5:M1>M2\n3:M1>M3\n2:M2>M3\n1:M3>M2\n'
fits "$unbeaten" --prior ghost <<'END'
M2 -2.79002227438303399 1.52183134002955
M3 -3.27800126550595716 1.65870982096291
log-likelihood -2.33294404999517093
END
fits "$unbeaten" --prior normal:2 <<'END'
M2 -2.61398847651605989 1.32745283961078
M3 -3.07303103231100307 1.4481330782068
log-likelihood -2.41740015014738729
END
# Games against the ghost may be tied as others.
fits "$stones" --ties davidson --prior ghost:0.5 <<'END'
basalt 0 1.17230495212826
cobalt -1.34992364441891154 1.40876241018389
tie2 0.945303423524817778 0.672789719599858782
log-likelihood -6.97619388241734645
END
fits "$stones" --ties rao-kupper --prior ghost <<'END'
basalt 0 0.87005718171478
cobalt -0.893368894390808371 0.964583474558162
theta 1.97394556066268856 0.69801245575498244
END
fits "$stones" --ties rao-kupper --prior normal:1 <<'END'
cobalt -0.781632632806380822 0.851968483233917
theta 2.77520580673280413 1.42845974556414603
END
fits 'ash > birch > cedar\nbirch > cedar > dogwood\nash > dogwood > elm\nash = birch = dogwood > cedar\nelm > cedar = dogwood\ncedar > birch = dogwood\n' \
  --ties davidson --prior ghost <<'END'
birch -1.62492329921821773 1.5145966405672
elm -2.32321236944558738 1.76947368633752
tie2 0.266585761262217851 0.207721572366417548
tie3 0.819023923040788842 0.951749329840886604
log-likelihood -14.1891630055717407
END
# Unconnected parts, and priors that say next to nothing.
accepts '' 'a>b\nc>d\n' --prior ghost
near 0 1e-12 "$(awk -F, '$1 == "c" { print $2 }' "$folder/out")"
accepts '' 'a>b\n' --prior normal:1e6
accepts '' 'a>b\n' --prior ghost:1e-300
for prior in ghost: ghost:0 ghost:-1 ghost:inf normal normal:0 normal:nan lasso ''; do
  [ -z "$prior" ] || refuses "--prior: got '$prior', expected ghost, ghost:N or normal:SD with a number > 0" 'a>b\n' --prior "$prior"
done

# --- no maximum, and what a model does not take ------------------------------------------------------------------------
grows='the parameter of ties grows without end, as beside the ties too little was decided'
for ties in davidson rao-kupper; do
  refuses "<stdin>: the likelihood has no maximum: $grows; with --prior ghost it has one" 'a>b\na=b\n' --ties $ties
  refuses "<stdin>: the likelihood has no maximum: $grows; with --prior ghost it has one" 'a=b\nb=c\na=c\n' --ties $ties --rankings
  accepts '' 'a=b\nb=c\na=c\n' --ties $ties --rankings --prior ghost
  refuses "<stdin>: the likelihood has no maximum: 'c' never wins; with --prior ghost it has one" 'a>b\nb=a\nb>a\na>c\n' --ties $ties
done
refuses '<stdin>: a ranking of 3 items: --ties rao-kupper is a model of comparisons of two, expected --ties davidson' \
  'a>b=c\nb>a\n' --ties rao-kupper
refuses '<stdin>: a tie of 7 items: --ties half takes at most 6, expected --ties davidson' 'a=b=c=d=e=f=g>h\n' --ties half
refuses "<stdin>:2: got 'b', expected items with > between them, the best first" 'a>b\nb\n' --ties half
refuses "<stdin>:1: place 1: got 2 items in no order, which only the last place may have (--ties davidson takes them as ties)" 'a=b>c\n'

finish
