"""Reasons: why a person was told what he was told. Engines and rooms emit codes and slots; the sentences stand here.

A sentence is kind, short, and says what would help. Their hash is kept with every decision, so an old answer reads as it was read then.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and the values that its sentence names. `flips_alone`: changing this one fact would have changed the answer by itself."""

    code: str
    slots: Mapping[str, str] = field(default_factory=dict)
    flips_alone: bool = False

    def sentence(self, language: Language = "zh") -> str:
        """Tell it to a person. A code without a sentence is our own mistake and fails loudly."""
        return SENTENCES[self.code][language].format_map(self.slots)


SENTENCES: Mapping[str, Mapping[Language, str]] = {
    # policy: what rules out a loan, or puts it off
    "minor": {"zh": "您还未满{age_min}周岁，按规定我们不能向未成年人提供贷款。", "en": "You are under {age_min}; the law does not let us lend to minors."},
    "too-old": {"zh": "这个产品只面向{age_max}周岁以下的人。", "en": "This product is for people up to {age_max} years old."},
    "student": {
        "zh": "资料显示您是在校学生，按规定我们不能向学生提供贷款。如已毕业，请上传毕业证明再申请。",
        "en": "Your records say that you are a student; the rules do not let us lend to students. If you have graduated, send proof and apply again.",
    },
    "purpose-barred": {
        "zh": "“{purpose}”这个用途不能使用消费贷款（例如买房、买车、炒股）。换成日常消费用途可以重新申请。",
        "en": "A consumer loan may not be used for {purpose} (homes, cars, securities). You may apply again for everyday needs.",
    },
    "identity-not-verified": {"zh": "您的身份还没有核实通过，请先完成实名认证。", "en": "Your identity is not verified yet; please finish that step first."},
    "id-expired": {"zh": "您的身份证已于{expires}到期，换领新证后请更新再申请。", "en": "Your id card expired on {expires}; renew it, then apply again."},
    "id-expires-soon": {"zh": "您的身份证将于{expires}到期，换领新证后请更新再申请。", "en": "Your id card expires on {expires}; renew it, then apply again."},
    "screening-hit": {
        "zh": "您的姓名与一份核查名单相近，需要先核对清楚。您可以申请人工复核。",
        "en": "Your name is close to one on a list that we must check. You may ask for a review by a person.",
    },
    "account-blocked": {"zh": "您的账户目前处于保护状态，解除之后可以再申请。", "en": "Your account is protected at the moment; once that is lifted you may apply."},
    "card-not-matched": {"zh": "银行卡、手机号与身份信息没有对上，请用本人的卡和预留手机号。", "en": "Card, phone and identity do not match; please use your own card and the phone your bank knows."},
    "face-not-matched": {"zh": "人脸核验没有通过，请在光线好的地方再试一次。", "en": "The face check did not pass; please try again in good light."},
    "many-inquiries": {
        "zh": "最近{days}天您在多家机构申请过贷款（{count}次）。过一段时间、少申请几次后再来，机会更大。",
        "en": "You applied to many lenders in the last {days} days ({count} times). Waiting and applying less will help.",
    },
    "overdue-now": {"zh": "征信显示您目前有{amount}元逾期未还。还清之后可以再申请。", "en": "The bureau shows {amount} yuan overdue now. Pay it back and you may apply again."},
    "serious-lateness": {"zh": "征信显示最近{months}个月内有严重逾期。保持按时还款，记录会慢慢变好。", "en": "The bureau shows serious lateness in the last {months} months. Paying on time mends it."},
    "late-with-us": {"zh": "您在我们这里有一笔还款已经到期未还，还上之后就可以再申请。", "en": "A payment to us is overdue; once it is paid you may apply again."},
    "device-busy": {
        "zh": "这部手机最近有{count}个人申请过贷款。请用自己的手机，或过几天再试；一家人共用手机的，可以申请人工复核。",
        "en": "{count} people applied with this phone lately. Use your own phone or try in some days; a family that shares one may ask for a review.",
    },
    "applied-often": {"zh": "您最近申请得比较频繁（{count}次），请过{days}天再来。", "en": "You applied rather often lately ({count} times); please come back in {days} days."},
    "takeover-signs": {
        "zh": "为了保护您的账户，新手机、新银行卡之后的{hours}小时内不能借款，请稍后再试。",
        "en": "To protect your account, nothing is lent within {hours} hours of a new phone and card. Please try later.",
    },
    "region-not-served": {"zh": "您居住的地区暂时还没有开通这项服务。", "en": "We do not serve the place where you live yet."},
    "income-unknown": {"zh": "我们还看不到您的收入情况。请上传工资单、银行流水或卖粮卖禽的收据。", "en": "We cannot see your income yet. Please send a pay slip, a bank statement or a receipt of sales."},
    "income-low": {
        "zh": "按目前看到的收入（每月约{income}元），这笔借款会让您的日子太紧。收入增加或资料补齐后再来。",
        "en": "With the income we see (about {income} yuan a month) this loan would be too heavy. Come back when it is higher or proven.",
    },
    "debt-heavy": {"zh": "您每月要还别处的钱已占收入的{share}%。还掉一些之后再申请会更稳妥。", "en": "Other installments already take {share} % of your income. Paying some of them off will help."},
    "purchase-too-dear": {
        "zh": "这笔订单（{amount}元）超过了目前可以借给您的额度（{limit}元）。选价格低一些的商品可以再试。",
        "en": "This order ({amount} yuan) is more than we can lend you now ({limit} yuan). You may try again with something less dear.",
    },
    "exposure-full": {"zh": "您在我们这里的借款已经到了每人的上限，还一部分之后可以再借。", "en": "You have reached the most that one person may owe us; pay some back and you may borrow again."},
    "score-low": {"zh": "综合您授权的资料，我们暂时还不能借给您。", "en": "From all the data you let us see, we cannot lend to you now."},
    # what a score speaks of
    "late-bills": {"zh": "话费或水电费有迟缴。按时缴费会有帮助。", "en": "Phone or utility bills were paid late. Paying them on time helps."},
    "phone-history": {"zh": "手机号使用时间较短或缴费不规律。保持稳定使用会有帮助。", "en": "Your phone number is new or topped up unevenly. Steady use helps."},
    "spending": {"zh": "消费记录还不够稳定。", "en": "Your spending record is not steady yet."},
    "income": {"zh": "收入还不够稳定，或能看到的收入较少。让工资进同一张卡会有帮助。", "en": "Income is uneven, or little of it can be seen. Wages on one card help."},
    "failed-debits": {"zh": "银行卡有扣款失败。还款日前留足余额会有帮助。", "en": "Debits failed on your card. Keeping enough on it before due days helps."},
    "insurance": {"zh": "社保缴纳记录较少或有断缴。", "en": "Social insurance contributions are few or broken."},
    "device-changes": {"zh": "手机更换或安装应用比较频繁。", "en": "Phones or applications changed often."},
    "farm-income": {"zh": "养殖收入记录还不够。", "en": "There is little record of farm income yet."},
    "past-lateness": {"zh": "过去的还款有逾期。保持按时还款，记录会变好。", "en": "There was lateness in the past. Paying on time mends it."},
    "other-debt": {"zh": "其他借款较多。还掉一些会有帮助。", "en": "You owe rather much elsewhere. Paying some of it off helps."},
    "file-length": {"zh": "征信记录时间较短。按时还款会慢慢积累记录。", "en": "Your credit record is short. Paying on time builds it."},
    "amount-asked": {"zh": "申请金额相对收入偏高。申请少一点会有帮助。", "en": "The amount is high for your income. Asking for less helps."},
    "asked-often": {"zh": "近来向多家机构申请过贷款。过一段时间、少申请几次会有帮助。", "en": "You asked several lenders for a loan lately. Waiting and asking less helps."},
    # what a review says
    "review-kept": {"zh": "工作人员复核后维持原来的结果：{text}", "en": "A person reviewed it and keeps the result: {text}"},
    "review-changed": {"zh": "工作人员复核后更改了结果：{text}", "en": "A person reviewed it and changed the result: {text}"},
}


@cache
def sentences_sha256() -> str:
    """Name the sentences in force: SHA-256 of their canonical JSON."""
    canonical = json.dumps(SENTENCES, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
